// The stub of the README: calls made before the widget has loaded are kept.
(function (w) {
  var f = (w.Frontdesk = w.Frontdesk || { q: [] });
  ["open", "close", "toggle", "send", "identify", "on", "off", "shutdown"].forEach(function (name) {
    f[name] = f[name] || function () { f.q.push([name].concat([].slice.call(arguments))); };
  });
})(window);
window.seen = [];
["ready", "open", "close", "message", "error", "unread"].forEach(function (name) {
  window.Frontdesk.on(name, function (detail) { window.seen.push([name, detail]); });
});
