import assert from "node:assert/strict";
import { test } from "node:test";
import type { ServerFrame } from "../src/frames.ts";
import type { BootResponse, MessageObject } from "../src/protocol.ts";
import { reduce } from "../src/panel/conversation/reduce.ts";
import { EMPTY, type Conversation, type Effect, type Happening } from "../src/panel/conversation/state.ts";
import { rowsOf } from "../src/panel/view/rows.ts";

const NOW = Date.parse("2025-01-02T03:04:05Z");

export function message(seq: number, fields: Partial<MessageObject> = {}): MessageObject {
  return {
    id: `m${seq}`, session: "s1", seq, role: seq % 2 ? "user" : "assistant", author: null, content: `text ${seq}`,
    attachments: [], citations: [], status: "complete", client_id: seq % 2 ? `c${seq}` : null, event: null, metadata: {},
    timestamp: "2025-01-02T03:04:05Z", ...fields,
  };
}

const session = (last_seq: number, id = "s1") => ({ id, status: "ai" as const, last_seq });

function bootOf(messages: MessageObject[], has: ReturnType<typeof session> | null): BootResponse {
  return { visitor_token: "t", socket_url: "wss://x", session: has, read_seq: 0, widget: { name: "W", settings: {}, personality: null }, messages };
}

class Run {
  state: Conversation = EMPTY;
  effects: Effect[] = [];

  do(...happenings: Happening[]): this {
    for (const happening of happenings) {
      const step = reduce(this.state, happening);
      this.state = step.state;
      this.effects.push(...step.effects);
    }
    return this;
  }

  get(...frames: ServerFrame[]): this {
    return this.do(...frames.map((frame): Happening => ({ type: "frame", frame, now: NOW })));
  }

  say(id: string, content = id): this {
    return this.do({ type: "composed", id, content, createdAt: new Date(NOW).toISOString() });
  }

  /** The frames sent since last asked. */
  sent(): unknown[] {
    const frames = this.effects.flatMap((e) => (e.type === "send" ? [e.frame] : []));
    this.effects = [];
    return frames;
  }

  connected(last = 0): this {
    return this.get({ type: "ready", session: last ? session(last) : null, last_seq: last });
  }
}

test("one question: ack, start, deltas, message", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([], null) }).connected().say("c1", "hi");
  assert.deepEqual(run.sent(), [{ type: "message", id: "c1", content: "hi" }]);
  run.get({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s1" });
  assert.equal(run.state.awaiting, true);
  assert.equal(run.state.pending.length, 0);
  run.get({ type: "start", message_id: "m2" }, { type: "delta", message_id: "m2", offset: 0, text: "te" },
    { type: "delta", message_id: "m2", offset: 2, text: "xt 2" });
  assert.equal(run.state.answer?.text, "text 2");
  run.get({ type: "message", message: message(2) });
  assert.equal(run.state.answer, null);
  assert.deepEqual(run.state.messages.map((m) => [m.id, m.content]), [["m1", "hi"], ["m2", "text 2"]]);
  assert.equal(run.state.lastSeq, 2);
  assert.deepEqual(run.sent(), []);
});

test("what is written offline goes out one by one when the link is up", () => {
  const run = new Run().say("a").say("b");
  assert.deepEqual(run.sent(), []);
  run.connected();
  assert.deepEqual(run.sent(), [{ type: "message", id: "a", content: "a" }]);
  run.get({ type: "ack", id: "a", message_id: "m1", seq: 1, session: "s1" }, { type: "start", message_id: "m2" });
  assert.deepEqual(run.sent(), []);
  run.get({ type: "message", message: message(2) });
  assert.deepEqual(run.sent(), [{ type: "message", id: "b", content: "b" }]);
});

test("an unacknowledged message goes out again under its id, before resume", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1), message(2)], session(2)) }).connected(2).say("x");
  run.get({ type: "history", messages: [], complete: true });
  run.sent();
  run.do({ type: "link", state: "connecting" }, { type: "booted", boot: bootOf([message(1), message(2)], session(2)) }).connected(2);
  assert.deepEqual(run.sent(), [{ type: "message", id: "x", content: "x" }, { type: "resume", after: 2 }]);
});

test("a lost ack: boot's messages already hold it, nothing is sent twice", () => {
  const run = new Run().connected().say("c1", "hi");
  run.sent();
  run.do({ type: "link", state: "connecting" }, { type: "booted", boot: bootOf([message(1)], session(1)) }).connected(1);
  assert.deepEqual(run.sent(), [{ type: "resume", after: 1 }]);
  assert.equal(run.state.messages.length, 1);
});

test("a gap in deltas or messages asks once, and history closes it", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1)], session(1)) }).connected(1);
  run.get({ type: "history", messages: [], complete: true });
  run.sent();
  run.get({ type: "delta", message_id: "m2", offset: 5, text: "x" }, { type: "delta", message_id: "m2", offset: 6, text: "y" });
  assert.deepEqual(run.sent(), [{ type: "resume", after: 1 }]);
  run.get({ type: "history", messages: [], complete: true, partial: { message_id: "m2", text: "👋 abcxy" } },
    { type: "delta", message_id: "m2", offset: 7, text: "!" });
  assert.equal(run.state.answer?.text, "👋 abcxy!");
  run.get({ type: "message", message: message(4) });
  assert.deepEqual(run.sent(), [{ type: "resume", after: 1 }]);
  run.get({ type: "history", messages: [message(2), message(3), message(4)], complete: true });
  assert.deepEqual(run.state.messages.map((m) => m.seq), [1, 2, 3, 4]);
  assert.equal(run.state.answer, null);
});

test("a gap too old boots again, and boot's messages replace", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1)], session(1)) }).connected(1);
  run.get({ type: "history", messages: [], complete: false });
  assert.ok(run.effects.some((e) => e.type === "reconnect"));
  run.do({ type: "booted", boot: bootOf([message(80), message(81)], session(81)) });
  assert.deepEqual(run.state.messages.map((m) => m.seq), [80, 81]);
  assert.equal(run.state.lastSeq, 81);
});

test("another session counts from 0 and keeps what was said before in view", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1), message(2)], session(2)) }).connected(2).say("n");
  run.get({ type: "history", messages: [], complete: true });
  run.get({ type: "ack", id: "n", message_id: "n1", seq: 1, session: "s2" });
  assert.equal(run.state.session?.id, "s2");
  assert.equal(run.state.lastSeq, 1);
  assert.deepEqual(run.state.messages.map((m) => m.id), ["m1", "m2", "n1"]);
});

test("too_fast waits and goes out by itself; too_long is the visitor's to change", () => {
  const run = new Run().connected().say("a");
  run.get({ type: "error", code: "too_fast", detail: "", retry_after: 3, id: "a" });
  assert.ok(run.effects.some((e) => e.type === "retry_later" && e.at === NOW + 3000));
  run.sent();
  run.do({ type: "retried", id: "a" });
  assert.deepEqual(run.sent(), [{ type: "message", id: "a", content: "a" }]);
  run.get({ type: "error", code: "too_long", detail: "", id: "a" });
  assert.equal(run.state.pending[0]?.state, "refused");
  run.do({ type: "discarded", id: "a" });
  assert.equal(run.state.pending.length, 0);
});

test("a refused message does not hold up the next", () => {
  const run = new Run().connected().say("a");
  run.get({ type: "error", code: "too_long", detail: "", id: "a" });
  run.sent();
  run.say("b");
  assert.deepEqual(run.sent(), [{ type: "message", id: "b", content: "b" }]);
});

test("budget_reached ends the waiting and offers to ask again", () => {
  const run = new Run().connected().say("c1", "hi").get({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s1" });
  run.get({ type: "error", code: "budget_reached", detail: "no" });
  assert.equal(run.state.awaiting, false);
  const row = rowsOf(run.state).at(-1);
  assert.ok(row?.kind === "notice" && row.askAgain === "hi");
});

test("an interrupted answer can be asked again", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1), message(2, { status: "interrupted" })], session(2)) });
  const row = rowsOf(run.state).at(-1);
  assert.ok(row?.kind === "answer" && row.askAgain === "text 1");
});

test("stop is sent once, and only while something runs", () => {
  const run = new Run().connected().do({ type: "stopped" });
  assert.deepEqual(run.sent(), []);
  run.say("c1").get({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s1" }, { type: "start", message_id: "m2" });
  run.sent();
  run.do({ type: "stopped" }, { type: "stopped" });
  assert.deepEqual(run.sent(), [{ type: "stop" }]);
});

test("what comes while the panel is closed is unread until it is opened", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1)], session(1)) }).connected(1);
  run.get({ type: "history", messages: [], complete: true }, { type: "message", message: message(2) });
  assert.equal(run.state.unread, 1);
  run.get({ type: "message", message: message(2) });
  assert.equal(run.state.unread, 1);
  run.do({ type: "shown", open: true });
  assert.equal(run.state.unread, 0);
});

test("another tab's message arrives once, ours is not doubled by history", () => {
  const run = new Run().connected().say("c1").get({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s1" });
  run.get({ type: "history", messages: [message(1), message(2), message(3)], complete: true });
  run.get({ type: "message", message: message(3) });
  assert.deepEqual(run.state.messages.map((m) => m.seq), [1, 2, 3]);
  const arrived = run.effects.filter((e) => e.type === "arrived").map((e) => e.message.seq);
  assert.deepEqual(arrived, [1, 2, 3]);
});

test("with a person in the session nothing waits for an answer", () => {
  const run = new Run().do({ type: "booted", boot: bootOf([message(1)], session(1)) }).connected(1);
  run.get({ type: "history", messages: [], complete: true }, { type: "status", status: "human", agent: { name: "Mo", avatar_url: null } });
  run.say("a").get({ type: "ack", id: "a", message_id: "m2", seq: 2, session: "s1" }).say("b");
  assert.equal(run.state.awaiting, false);
  assert.deepEqual(run.sent().slice(-1), [{ type: "message", id: "b", content: "b" }]);
});
