// A Frontdesk of one process and no database, for work on the widget: `npm run dev`, or --port N.
// POST /control {"cut": true, "refuse": [{before, frame}], "losingAck": true, "boot": {status, code, times}, "say": "…",
// "author": {…}, "pace": ms} makes trouble; GET /control tells what was asked for and received.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { Conversation } from "./conversation.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const port = Number(process.argv[process.argv.indexOf("--port") + 1] || 4400);
const visitors = new Map();
const tickets = new Map();
const chaos = { refuse: [], received: [], requests: [], losingAck: false, boot: null, pace: 18 };

const SETTINGS = {
  greeting: "Hi! How can I help you today?",
  starterQuestions: ["How do I get started?", "Which regions are there? (rich)", "How is usage counted?"],
  privacyUrl: "https://example.com/privacy",
};
const CSP = "default-src 'none'; script-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; style-src 'self'; "
  + "img-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types frontdesk";
const CORS = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type", "Access-Control-Expose-Headers": "Retry-After" };

/** JSON that is safe as an expression inside a script. */
export const scriptJson = (value) => JSON.stringify(value).replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

function loader(query) {
  const panel = file("../dist/panel.js");
  const look = {
    key: "pk_demo", active: query.get("active") !== "0", name: "Acme Support", primaryColor: query.get("color") ?? "#4f46e5",
    position: query.get("position") ?? "bottom-right", launcherLabel: query.get("label") ?? "Ask us", theme: query.get("theme") ?? "auto",
    locale: query.get("locale"), panelUrl: `/widget/v1/panel.${createHash("sha256").update(panel).digest("hex").slice(0, 16)}.js`,
    bootUrl: "/widget/v1/boot", features: (query.get("features") ?? "feedback").split(","),
  };
  return file("../dist/loader.js").toString().replace('"__FRONTDESK_LOOK__"', () => scriptJson(look));
}

function boot(body, host) {
  const { boot: trouble } = chaos;
  if (trouble && trouble.times-- > 0) {
    return [trouble.status, { code: trouble.code }, { "Content-Type": "application/problem+json", ...(trouble.headers ?? {}) }];
  }
  const token = visitors.has(body.visitor_token) ? body.visitor_token : randomUUID();
  if (!visitors.has(token)) visitors.set(token, new Conversation(chaos));
  const ticket = randomUUID();
  tickets.set(ticket, token);
  const talk = visitors.get(token);
  return [200, {
    visitor_token: token, socket_url: `ws://${host}/ws/v1/chat?ticket=${ticket}`, session: talk.described(),
    widget: { name: "Acme Support", settings: SETTINGS, personality: { name: "Ada" } }, messages: talk.messages.slice(-50),
  }];
}

function control(body) {
  for (const key of ["refuse", "losingAck", "boot", "pace"]) if (key in body) chaos[key] = body[key];
  for (const talk of visitors.values()) {
    if (body.cut) for (const socket of talk.sockets) socket.terminate();
    if (body.close) for (const socket of talk.sockets) socket.close(body.close);
    if (body.say) talk.broadcast({ type: "message", message: talk.commit({ role: "assistant", content: body.say, author: body.author ?? null }) });
  }
  return [200, { received: chaos.received, requests: chaos.requests, sessions: [...visitors.values()].map((v) => v.messages) }];
}

const read = async (request) => {
  let text = "";
  for await (const part of request) text += part;
  return text ? JSON.parse(text) : {};
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, "http://fake");
  const answer = (status, body, headers = {}) => {
    const text = typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body);
    response.writeHead(status, { "Content-Type": "application/json", ...CORS, ...headers }).end(text);
  };
  const js = { "Content-Type": "text/javascript; charset=utf-8" };
  if (!url.pathname.startsWith("/control")) chaos.requests.push(`${request.method} ${url.pathname}`);
  if (request.method === "OPTIONS") return answer(204, "");
  if (url.pathname === "/widget/v1.js") return answer(200, loader(url.searchParams), js);
  if (url.pathname.startsWith("/widget/v1/panel.")) return answer(200, file("../dist/panel.js"), js);
  if (url.pathname === "/widget/v1/boot") return answer(...boot(await read(request), request.headers.host));
  if (url.pathname === "/control") return answer(...control(await read(request)));
  if (url.pathname === "/page.css" || url.pathname === "/page.js") {
    return answer(200, file(`.${url.pathname}`), url.pathname.endsWith("css") ? { "Content-Type": "text/css" } : js);
  }
  if (url.pathname === "/favicon.ico") return answer(204, "");
  if (url.pathname !== "/") return answer(404, "");
  const page = file("./page.html").toString().replace("__QUERY__", url.search.replace(/^\?/, "&").replace(/["<>]/g, ""));
  const direction = (url.searchParams.get("locale") ?? "").startsWith("ar") ? "rtl" : "ltr";
  return answer(200, page.replace("__DIR__", direction), { "Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": CSP });
});

const sockets = new WebSocketServer({ noServer: true });
server.on("upgrade", (request, socket, head) => {
  const ticket = new URL(request.url, "http://fake").searchParams.get("ticket");
  const token = tickets.get(ticket);
  tickets.delete(ticket);
  sockets.handleUpgrade(request, socket, head, (ws) => (token ? visitors.get(token).join(ws) : ws.close(4401)));
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
