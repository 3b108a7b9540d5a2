import assert from "node:assert/strict";
import { afterEach, beforeEach, test } from "node:test";
import type { ServerFrame } from "../src/frames.ts";
import { HttpSocket } from "../src/panel/link/http-socket.ts";

interface Asked {
  method: string;
  url: string;
  token: string;
  body: Record<string, unknown> | null;
}

const realFetch = globalThis.fetch;
let asked: Asked[] = [];
let answer: (request: Asked) => Response = () => new Response("", { status: 500 });
const open: HttpSocket[] = [];

beforeEach(() => {
  asked = [];
  globalThis.fetch = (async (url: string, init: RequestInit) => {
    const request = {
      method: init.method as string, url, token: new Headers(init.headers).get("Authorization") as string,
      body: init.body ? (JSON.parse(init.body as string) as Record<string, unknown>) : null,
    };
    asked.push(request);
    return answer(request);
  }) as typeof fetch;
});

afterEach(() => {
  open.splice(0).forEach((socket) => socket.close());
  globalThis.fetch = realFetch;
});

const session = { id: "s", status: "ai", last_seq: 2 };
const poll = (fields: object = {}): Response =>
  new Response(JSON.stringify({ type: "history", messages: [], complete: true, session: null, ...fields }));
/** An event stream that comes in pieces of three bytes. */
const events = (...frames: object[]): Response => {
  const bytes = new TextEncoder().encode(`:\n\n${frames.map((f) => `data: ${JSON.stringify(f)}\n\n`).join("")}`);
  return new Response(new ReadableStream({
    start(controller) {
      for (let i = 0; i < bytes.length; i += 3) controller.enqueue(bytes.slice(i, i + 3));
      controller.close();
    },
  }));
};
const soon = (): Promise<void> => new Promise((done) => setTimeout(done, 20));

function connect(): { socket: HttpSocket; frames: ServerFrame[]; closed: number[] } {
  const socket = new HttpSocket("https://h/messages", "tok");
  const frames: ServerFrame[] = [];
  const closed: number[] = [];
  socket.onmessage = ({ data }: MessageEvent) => { frames.push(JSON.parse(data as string) as ServerFrame); };
  socket.onclose = ({ code }: CloseEvent) => { closed.push(code); };
  open.push(socket);
  return { socket, frames, closed };
}

test("it is ready like a socket, with the visitor's token", async () => {
  answer = () => poll({ session });
  const { frames } = connect();
  await soon();
  assert.deepEqual(frames, [{ type: "ready", session, last_seq: 2 }]);
  assert.deepEqual(asked, [{ method: "GET", url: "https://h/messages?after=0", token: "Bearer tok", body: null }]);
});

test("a message that came too soon is refused as on a socket, and the connection stays", async () => {
  answer = ({ method }) => method === "GET" ? poll() : new Response("{}", { status: 429, headers: { "Retry-After": "7" } });
  const { socket, frames, closed } = connect();
  await soon();
  socket.send(JSON.stringify({ type: "message", id: "c", content: "Hi" }));
  await soon();
  assert.deepEqual(frames.at(-1), { type: "error", code: "too_fast", detail: "", id: "c", retry_after: 7 });
  assert.deepEqual(closed, []);
});

test("a frame's answers come in order, however the stream is cut", async () => {
  answer = ({ method }) => method === "GET" ? poll() : events(
    { type: "ack", id: "c", message_id: "m1", seq: 1, session: "s" }, { type: "start", message_id: "m2" },
    { type: "delta", message_id: "m2", offset: 0, text: "Größe 👋🏽\n\ndata: x" });
  const { socket, frames, closed } = connect();
  await soon();
  socket.send(JSON.stringify({ type: "message", id: "c", content: "?" }));
  await soon();
  assert.deepEqual(frames.map((f) => f.type), ["ready", "ack", "start", "delta"]);
  assert.equal(frames[3]?.type === "delta" && frames[3].text, "Größe 👋🏽\n\ndata: x");
  assert.deepEqual(asked[1]?.body, { type: "message", id: "c", content: "?" });
  assert.deepEqual(closed, []);
});

test("a resume is a poll, a ping is answered here", async () => {
  answer = () => poll({ session });
  const { socket, frames } = connect();
  await soon();
  socket.send(JSON.stringify({ type: "resume", after: 7 }));
  socket.send(JSON.stringify({ type: "ping" }));
  await soon();
  assert.deepEqual(asked.map((a) => a.url), ["https://h/messages?after=0", "https://h/messages?after=7"]);
  assert.deepEqual(frames.map((f) => f.type).sort(), ["history", "pong", "ready"]);
});

for (const [status, code] of [[401, 4401], [403, 4403], [404, 4404], [429, 4429], [500, 1006], [502, 1006]] as const) {
  test(`a refusal with ${status} closes with ${code}, once`, async () => {
    answer = () => new Response("{}", { status });
    const { closed, frames } = connect();
    await soon();
    assert.deepEqual([closed, frames], [[code], []]);
  });
}

test("a broken stream closes; what was closed by us says nothing more", async () => {
  answer = ({ method }) => method === "GET" ? poll() : new Response(new ReadableStream({
    start(controller) { controller.error(new Error("cut")); },
  }));
  const first = connect();
  await soon();
  first.socket.send(JSON.stringify({ type: "message", id: "c", content: "?" }));
  await soon();
  assert.deepEqual(first.closed, [1006]);
  const second = connect();
  second.socket.close();
  await soon();
  assert.deepEqual([second.closed, second.frames], [[], []]);
});
