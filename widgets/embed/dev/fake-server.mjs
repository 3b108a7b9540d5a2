// A Frontdesk of one process and no database, for work on the widget: `npm run dev`, or --port N.
// POST /control {"cut": true, "refuse": [{before, frame}], "losingAck": true, "boot": {status, code, times}, "say": "…",
// "author": {…}, "pace": ms, "blocked": true (no sockets), "change": [status, event, agent], "typing": "…", "seed": n
// (messages of a session for the next visitor), "proof": bits (boot asks for a proof of work)} makes trouble; it tells what was asked for and received.
import { createHash, randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import { WebSocketServer } from "ws";
import { answerTo } from "./answers.mjs";
import { Conversation } from "./conversation.mjs";

const file = (name) => readFileSync(new URL(name, import.meta.url));
const port = Number(process.argv[process.argv.indexOf("--port") + 1] || 4400);
const visitors = new Map();
const tickets = new Map();
const chaos = { refuse: [], received: [], requests: [], losingAck: false, boot: null, pace: 18, blocked: false, seed: 0, proof: 0 };
const challenges = new Set();

const SETTINGS = {
  greeting: "Hi! How can I help you today?",
  starterQuestions: ["How do I get started?", "Which regions are there? (rich)", "How is usage counted?"],
  privacyUrl: "https://example.com/privacy",
};
const CSP = "default-src 'none'; script-src 'self'; connect-src 'self' ws://127.0.0.1:* ws://localhost:*; style-src 'self'; "
  + "img-src 'self'; base-uri 'none'; require-trusted-types-for 'script'; trusted-types frontdesk";
const CORS = { "Access-Control-Allow-Origin": "*", "Access-Control-Allow-Headers": "content-type, authorization", "Access-Control-Expose-Headers": "Retry-After" };

/** JSON that is safe as an expression inside a script. */
export const scriptJson = (value) => JSON.stringify(value).replace(/[<\u2028\u2029]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);

function loader(query) {
  const panel = file("../dist/panel.js");
  const look = {
    key: "pk_demo", active: query.get("active") !== "0", name: "Acme Support", primaryColor: query.get("color") ?? "#4f46e5",
    position: query.get("position") ?? "bottom-right", launcherLabel: query.get("label") ?? "Ask us", theme: query.get("theme") ?? "auto",
    secondaryColor: query.get("secondary") ?? "#1e293b", locale: query.get("locale"), greeting: SETTINGS.greeting, panelUrl: `/widget/v1/panel.${createHash("sha256").update(panel).digest("hex").slice(0, 16)}.js`,
    bootUrl: "/widget/v1/boot",
  };
  return file("../dist/loader.js").toString().replace('"__FRONTDESK_LOOK__"', () => scriptJson(look));
}

function boot(body, host) {
  const { boot: trouble } = chaos;
  if (trouble && trouble.times-- > 0) {
    return [trouble.status, { code: trouble.code }, { "Content-Type": "application/problem+json", ...(trouble.headers ?? {}) }];
  }
  if (chaos.proof && !isProved(body.proof)) {
    const token = randomUUID();
    challenges.add(token);
    const challenge = { token, seed: sha256(token).slice(0, 32), count: 8, bits: chaos.proof };
    return [428, { code: "proof_of_work_required", challenge }, { "Content-Type": "application/problem+json" }];
  }
  const token = visitors.has(body.visitor_token) ? body.visitor_token : randomUUID();
  if (!visitors.has(token)) visitors.set(token, seeded(new Conversation(chaos)));
  const ticket = randomUUID();
  tickets.set(ticket, token);
  const talk = visitors.get(token);
  return [200, {
    visitor_token: token, socket_url: `ws://${host}/ws/v1/chat?ticket=${ticket}`, session: talk.described(), read_seq: talk.readSeq,
    widget: { name: "Acme Support", settings: SETTINGS, personality: { name: "Ada" } }, messages: talk.described() ? talk.messages.slice(-50) : [],
  }];
}

const sha256 = (text) => createHash("sha256").update(text).digest("hex");

/** Each challenge is good once. */
function isProved(proof) {
  if (!proof || !challenges.delete(proof.token)) return false;
  const seed = sha256(proof.token).slice(0, 32);
  return proof.numbers.length === 8
    && proof.numbers.every((number, i) => parseInt(sha256(`${seed}.${i}.${number}`).slice(0, 8), 16) >>> (32 - chaos.proof) === 0);
}

/** With questions and answers of the days before, where that was asked for. */
function seeded(talk) {
  const kinds = ["hello", "rich", "code", "abstain"];
  for (let n = 0; n < chaos.seed; n++) {
    const timestamp = new Date(Date.now() - (chaos.seed - n) * 3_600_000).toISOString();
    const { text, ...fields } = answerTo(kinds[(n >> 1) % kinds.length]);
    talk.commit(n % 2 ? { role: "assistant", content: text, timestamp, ...fields }
      : { role: "user", content: `Question number ${n / 2 + 1}`, client_id: randomUUID(), timestamp });
  }
  talk.readSeq = chaos.seed;
  return talk;
}

/** The visitor's conversation as one request sees it: frames as server-sent events, or one poll. */
async function overHttp(request, response, url) {
  const talk = visitors.get((request.headers.authorization ?? "").replace("Bearer ", ""));
  if (!talk) return response.writeHead(401, CORS).end("{}");
  if (request.method === "GET") {
    const after = Number(url.searchParams.get("after"));
    const partial = talk.running && { message_id: talk.running.id, text: talk.running.text };
    response.writeHead(200, { "Content-Type": "application/json", ...CORS });
    return response.end(JSON.stringify({
      type: "history", messages: talk.described() ? talk.messages.filter((m) => m.seq > after) : [], complete: true,
      ...(partial ? { partial } : {}), session: talk.described(),
    }));
  }
  const frame = await read(request);
  response.writeHead(200, { "Content-Type": "text/event-stream", ...CORS });
  let last = null;
  const stream = { readyState: 1, send: (text) => { last = JSON.parse(text); response.write(`data: ${text}\n\n`); }, terminate: () => response.destroy() };
  talk.sockets.add(stream);
  request.socket.on("close", () => { stream.readyState = 3; talk.sockets.delete(stream); });
  talk.receive(stream, JSON.stringify({ type: "message", ...frame }));
  const isDone = () => (frame.type ?? "message") !== "message" || last?.type === "error" || last?.message?.role === "assistant" || talk.status !== "ai";
  while (stream.readyState === 1 && !isDone()) await new Promise((done) => setTimeout(done, 20));
  talk.sockets.delete(stream);
  return response.end();
}

function control(body) {
  for (const key of ["refuse", "losingAck", "boot", "pace", "blocked", "seed", "proof"]) if (key in body) chaos[key] = body[key];
  for (const talk of visitors.values()) {
    if (body.cut) for (const socket of talk.sockets) socket.terminate();
    if (body.close) for (const socket of talk.sockets) socket.close(body.close);
    if (body.change && talk.session) talk.change(...body.change);
    if (body.typing) talk.broadcast({ type: "typing", who: body.typing });
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
  if (url.pathname === "/widget/v1/proof.js") return answer(200, file("../dist/proof.js"), js);
  if (url.pathname === "/widget/v1/boot") return answer(...boot(await read(request), request.headers.host));
  if (url.pathname === "/widget/v1/messages") return void overHttp(request, response, url);
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
  if (chaos.blocked) return socket.destroy();
  const ticket = new URL(request.url, "http://fake").searchParams.get("ticket");
  const token = tickets.get(ticket);
  tickets.delete(ticket);
  sockets.handleUpgrade(request, socket, head, (ws) => (token ? visitors.get(token).join(ws) : ws.close(4401)));
});
server.listen(port, "127.0.0.1", () => console.log(`http://127.0.0.1:${server.address().port}/`));
