/** A server as the contract describes it, a connection that is cut anywhere, and a client that must lose nothing. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClientFrame, ServerFrame } from "../src/frames.ts";
import type { MessageObject } from "../src/protocol.ts";
import { reduce } from "../src/panel/conversation/reduce.ts";
import { EMPTY, type Conversation, type Happening } from "../src/panel/conversation/state.ts";
import { chance, randomText } from "./random.ts";

class Server {
  messages: MessageObject[] = [];
  run: { id: string; points: string[]; said: number } | null = null;
  /** Frames under way to the client. */
  wire: ServerFrame[] = [];
  connected = false;

  constructor(private readonly random: () => number) {}

  commit(fields: Partial<MessageObject>): MessageObject {
    const seq = this.messages.length + 1;
    const made: MessageObject = {
      id: `m${seq}`, session: "s", seq, role: "user", author: null, content: "", attachments: [], citations: [],
      status: "complete", client_id: null, event: null, metadata: {}, timestamp: "2025-01-01T00:00:00Z", ...fields,
    };
    this.messages.push(made);
    return made;
  }

  private send(frame: ServerFrame): void {
    if (this.connected) this.wire.push(frame);
  }

  describe() {
    return this.messages.length ? { id: "s", status: "ai" as const, last_seq: this.messages.length } : null;
  }

  connect(): void {
    this.wire = [];
    this.connected = true;
    this.send({ type: "ready", session: this.describe(), last_seq: this.messages.length });
  }

  receive(frame: ClientFrame): void {
    if (!this.connected) return;
    if (frame.type === "resume") {
      const partial = this.run && { message_id: this.run.id, text: this.run.points.slice(0, this.run.said).join("") };
      this.send({ type: "history", messages: this.messages.filter((m) => m.seq > frame.after), complete: true, ...(partial ? { partial } : {}) });
    }
    if (frame.type !== "message") return;
    const known = this.messages.find((m) => m.client_id === frame.id);
    const message = known ?? this.commit({ content: frame.content, client_id: frame.id });
    this.send({ type: "ack", id: frame.id, message_id: message.id, seq: message.seq, session: "s" });
    if (known) return;
    this.run = { id: `answer to ${frame.id}`, points: [...`${randomText(this.random, 60)}.`], said: 0 };
    this.send({ type: "start", message_id: this.run.id });
  }

  /** Says a little more of the running answer, or commits it. */
  work(): void {
    const { run } = this;
    if (!run) return;
    if (run.said < run.points.length) {
      const text = run.points.slice(run.said, run.said + 1 + Math.floor(this.random() * 9));
      this.send({ type: "delta", message_id: run.id, offset: run.said, text: text.join("") });
      run.said += text.length;
    } else {
      this.run = null;
      this.send({ type: "message", message: this.commit({ id: run.id, role: "assistant", content: run.points.join("") }) });
    }
  }
}

function storm(seed: number): void {
  const random = chance(seed);
  const server = new Server(random);
  const asked: string[] = [];
  let outgoing: ClientFrame[] = [];
  let state: Conversation = EMPTY;
  const happen = (happening: Happening): void => {
    const step = reduce(state, happening);
    state = step.state;
    for (const effect of step.effects) if (effect.type === "send") outgoing.push(effect.frame);
    const shown = state.answer;
    if (shown && server.run?.id === shown.messageId) {
      assert.equal(shown.text, server.run.points.slice(0, shown.length).join(""), `seed ${seed}: text on screen`);
    }
  };
  const reconnect = (): void => {
    outgoing = [];
    happen({ type: "link", state: "connecting" });
    happen({ type: "booted", boot: { visitor_token: "t", socket_url: "", read_seq: 0, session: server.describe(), messages: server.messages.slice(-50),
      widget: { name: "w", settings: {}, personality: null } } });
    // The server goes on between boot and connect.
    if (random() < 0.5) for (let i = 0; i < 20; i++) server.work();
    server.connect();
  };
  const step = (calm: boolean): void => {
    const dice = random();
    if (!calm && dice < 0.06) {
      server.connected = false;
      server.wire = [];
      reconnect();
    } else if (!calm && dice < 0.12 && asked.length < 12) {
      asked.push(`q${asked.length}`);
      happen({ type: "composed", id: asked.at(-1) as string, content: asked.at(-1) as string, createdAt: "2025-01-01T00:00:00Z" });
    } else if (dice < 0.4) server.work();
    else if (dice < 0.6) {
      const frame = outgoing.shift();
      if (frame) server.receive(frame);
    } else {
      const frame = server.wire.shift();
      if (frame) happen({ type: "frame", frame, now: 0 });
    }
  };
  reconnect();
  for (let i = 0; i < 600; i++) step(false);
  for (let i = 0; i < 6000; i++) step(true);
  assert.deepEqual(state.messages.map((m) => [m.id, m.seq, m.content]), server.messages.map((m) => [m.id, m.seq, m.content]), `seed ${seed}`);
  assert.deepEqual(server.messages.filter((m) => m.role === "user").map((m) => m.client_id), asked, `seed ${seed}`);
  assert.equal(state.pending.length, 0, `seed ${seed}`);
  assert.equal(state.answer, null, `seed ${seed}`);
  assert.equal(state.awaiting, false, `seed ${seed}`);
}

test("however often the connection is cut, every message is there once, in order, with its whole text", () => {
  for (let seed = 1; seed <= 150; seed++) storm(seed);
});
