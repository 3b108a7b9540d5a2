// Draws a widget's preview anew while its form is written in.
document.addEventListener("DOMContentLoaded", () => {
  const frame = document.querySelector("iframe[data-preview-of]");
  const form = frame && document.getElementById(frame.dataset.previewOf);
  if (!form) return;
  const SECRET = new Set(["csrfmiddlewaretoken", "domain_whitelist", "collections"]);
  let timer = 0;
  let isClosed = false;
  let shown = "";

  function draw() {
    const query = new URLSearchParams();
    for (const [name, value] of new FormData(form)) {
      if (typeof value === "string" && !SECRET.has(name) && !name.startsWith("_")) query.set(name, value);
    }
    if (isClosed) query.set("closed", "1");
    const address = `${frame.dataset.previewUrl}?${query}`;
    if (address === shown) return;
    shown = address;
    // Replaced, so that the Back button leaves the page and not the preview.
    if (frame.contentWindow) frame.contentWindow.location.replace(address);
    else frame.src = address;
  }

  function soon() {
    clearTimeout(timer);
    timer = setTimeout(draw, 350);
  }

  for (const name of ["input", "change"]) form.addEventListener(name, soon);
  for (const [selector, closed] of [["[data-preview-open]", false], ["[data-preview-closed]", true]]) {
    document.querySelector(selector)?.addEventListener("click", () => {
      isClosed = closed;
      document.querySelector("[data-preview-open]").setAttribute("aria-pressed", String(!closed));
      document.querySelector("[data-preview-closed]").setAttribute("aria-pressed", String(closed));
      draw();
    });
  }
  draw();
});
