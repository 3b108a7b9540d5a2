import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientFrame, ServerFrame } from "../src/frames.ts";
import type { MessageObject } from "../src/protocol.ts";
import { reduce } from "../src/panel/conversation/reduce.ts";
import { EMPTY, type Conversation, type Happening } from "../src/panel/conversation/state.ts";
import { rowsOf } from "../src/panel/view/rows.ts";

/** A conversation that remembers what it sent. */
class Talk {
  state: Conversation = { ...EMPTY, isOpen: true };
  sent: ClientFrame[] = [];

  happen(happening: Happening): this {
    const { state, effects } = reduce(this.state, happening);
    this.state = state;
    for (const effect of effects) if (effect.type === "send") this.sent.push(effect.frame);
    return this;
  }

  hear(frame: ServerFrame): this {
    return this.happen({ type: "frame", frame, now: 0 });
  }

  connect(status: "ai" | "human" | "waiting" = "ai", last = 0): this {
    this.happen({ type: "link", state: "online" });
    return this.hear({ type: "ready", session: last ? { id: "s", status, last_seq: last } : null, last_seq: last });
  }

  take(kind: ClientFrame["type"]): ClientFrame[] {
    const taken = this.sent.filter((frame) => frame.type === kind);
    this.sent = [];
    return taken;
  }
}

const message = (seq: number, fields: Partial<MessageObject> = {}): MessageObject => ({
  id: `m${seq}`, session: "s", seq, role: "assistant", author: null, content: "Yes.", attachments: [], citations: [],
  status: "complete", client_id: null, event: null, metadata: {}, timestamp: "2026-01-01T00:00:00Z", ...fields,
});

/** Online, with question 1 and answer 2. */
function answered(): Talk {
  const talk = new Talk().connect();
  talk.happen({ type: "composed", id: "c1", content: "Is it?", createdAt: "2026-01-01T00:00:00Z" });
  talk.hear({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s" });
  talk.hear({ type: "message", message: message(2) });
  return talk;
}

const opinion = (talk: Talk): unknown => {
  const row = rowsOf(talk.state).find((r) => r.kind === "answer");
  return row?.kind === "answer" ? [row.rating, row.comment] : null;
};

test("what is shown is read, once, and only when it can be seen", () => {
  const talk = answered();
  assert.deepEqual(talk.take("read"), [{ type: "read", seq: 2 }]);
  talk.happen({ type: "page_seen", visible: false });
  talk.hear({ type: "message", message: message(3) });
  assert.deepEqual([talk.take("read"), talk.state.unread], [[], 1]);
  talk.happen({ type: "page_seen", visible: true });
  assert.deepEqual([talk.take("read"), talk.state.unread], [[{ type: "read", seq: 3 }], 0]);
  talk.happen({ type: "shown", open: false });
  talk.hear({ type: "message", message: message(4) });
  talk.hear({ type: "message", message: message(4) });
  assert.equal(talk.state.unread, 1);
  talk.happen({ type: "read_elsewhere" });
  assert.deepEqual([talk.take("read"), talk.state.unread], [[], 0]);
});

test("boot tells how far was read", () => {
  const talk = new Talk();
  talk.happen({ type: "shown", open: false });
  talk.happen({ type: "booted", boot: {
    visitor_token: "t", socket_url: "", session: { id: "s", status: "human", last_seq: 4 }, read_seq: 2,
    widget: { name: "W", settings: {}, personality: null },
    messages: [message(1, { role: "user" }), message(2), message(3, { author: { name: "Mo", avatar_url: null } }), message(4, { role: "system" })],
  } });
  assert.equal(talk.state.unread, 1);
  assert.equal(talk.state.agent?.name, "Mo");
  talk.happen({ type: "shown", open: true });
  assert.equal(talk.state.unread, 0);
});

test("a rating is sent at once, kept while offline, and its comment goes with it", () => {
  const talk = answered();
  talk.happen({ type: "rated", messageId: "m2", rating: -1 });
  assert.deepEqual(talk.take("feedback"), [{ type: "feedback", message_id: "m2", rating: -1 }]);
  talk.happen({ type: "link", state: "offline" });
  talk.happen({ type: "rated", messageId: "m2", rating: -1, comment: "No." });
  assert.deepEqual([talk.take("feedback"), opinion(talk)], [[], [-1, "No."]]);
  talk.connect("ai", 2);
  assert.deepEqual(talk.take("feedback"), [{ type: "feedback", message_id: "m2", rating: -1, comment: "No." }]);
  talk.connect("ai", 2);
  assert.deepEqual(talk.take("feedback"), []);
  talk.happen({ type: "rated", messageId: "m2", rating: 1 });
  assert.deepEqual(opinion(talk), [1, ""]);
});

test("a rating that is refused is taken back, and one of earlier is shown", () => {
  const talk = answered();
  talk.happen({ type: "rated", messageId: "m2", rating: 1 });
  talk.hear({ type: "error", code: "not_found", detail: "", id: "m2" });
  assert.deepEqual(opinion(talk), [null, ""]);
  talk.hear({ type: "message", message: message(3, { metadata: { feedback: { rating: -1, comment: "Hm" } } }) });
  const last = rowsOf(talk.state).at(-1);
  assert.deepEqual(last?.kind === "answer" && [last.rating, last.comment], [-1, "Hm"]);
});

test("a person is called once there is a conversation and a connection", () => {
  const talk = new Talk().connect();
  talk.happen({ type: "asked_for_person" });
  assert.deepEqual([talk.take("handoff"), talk.state.wantsPerson], [[], true]);
  talk.happen({ type: "composed", id: "c1", content: "Help", createdAt: "2026-01-01T00:00:00Z" });
  talk.hear({ type: "ack", id: "c1", message_id: "m1", seq: 1, session: "s" });
  assert.deepEqual([talk.take("handoff"), talk.state.wantsPerson], [[{ type: "handoff" }], false]);
  talk.hear({ type: "status", status: "waiting" });
  talk.happen({ type: "asked_for_person" });
  assert.deepEqual([talk.take("handoff"), talk.state.wantsPerson], [[], false]);
});

test("a call for a person made offline goes out on the next connection", () => {
  const talk = answered();
  talk.happen({ type: "link", state: "offline" });
  talk.happen({ type: "asked_for_person" });
  talk.connect("ai", 2);
  assert.deepEqual(talk.take("handoff"), [{ type: "handoff" }]);
});

test("an ended conversation is put away, an open one is not", () => {
  const talk = answered();
  talk.happen({ type: "renewed" });
  assert.equal(talk.state.messages.length, 2);
  talk.happen({ type: "ended" });
  assert.deepEqual(talk.take("end"), [{ type: "end" }]);
  talk.hear({ type: "message", message: message(3, { role: "system", content: "", event: "ended" }) });
  talk.hear({ type: "status", status: "ended" });
  assert.equal(rowsOf(talk.state).at(-1)?.kind, "system");
  talk.happen({ type: "renewed" });
  assert.deepEqual([talk.state.messages, talk.state.session, talk.state.lastSeq], [[], null, 0]);
});

test("what people settle among themselves is not shown", () => {
  const talk = answered();
  talk.hear({ type: "message", message: message(3, { role: "system", content: "", event: "assigned" }) });
  assert.ok(rowsOf(talk.state).every((row) => row.kind !== "system"));
});

test("who types is named until they speak; the visitor's own other tab is not", () => {
  const talk = answered();
  talk.hear({ type: "typing", who: "visitor" });
  assert.equal(talk.state.typing, null);
  talk.hear({ type: "typing", who: "Mo" });
  assert.equal(talk.state.typing, "Mo");
  talk.hear({ type: "message", message: message(3) });
  assert.equal(talk.state.typing, null);
});
