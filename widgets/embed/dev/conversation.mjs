// One visitor's session in the fake server, and the frames of product.md around it.
import { randomUUID } from "node:crypto";
import { answerTo } from "./answers.mjs";

const points = (text) => [...text];
const wait = (ms) => new Promise((done) => setTimeout(done, ms));

export class Conversation {
  constructor(chaos) {
    this.chaos = chaos;
    this.session = null;
    this.messages = [];
    this.running = null;
    this.status = "ai";
    this.agent = null;
    this.readSeq = 0;
    this.sockets = new Set();
  }

  last() {
    return this.messages.length;
  }

  /** The open session, or null. */
  described() {
    return this.session && this.status !== "ended" ? { id: this.session, status: this.status, last_seq: this.last() } : null;
  }

  join(socket) {
    this.sockets.add(socket);
    socket.on("close", () => this.sockets.delete(socket));
    socket.on("message", (data) => this.receive(socket, data.toString()));
    this.send(socket, { type: "ready", session: this.described(), last_seq: this.last() });
  }

  send(socket, frame) {
    if (socket.readyState === 1) socket.send(JSON.stringify(frame));
  }

  broadcast(frame, except = null) {
    for (const socket of this.sockets) if (socket !== except) this.send(socket, frame);
  }

  commit(fields) {
    this.session ??= randomUUID();
    const message = {
      id: randomUUID(), session: this.session, seq: this.last() + 1, author: null, attachments: [], citations: [],
      status: "complete", client_id: null, event: null, metadata: {}, timestamp: new Date().toISOString(), ...fields,
    };
    this.messages.push(message);
    return message;
  }

  /** Who answers now, with the message that says so. */
  change(status, event, agent = null) {
    this.status = status;
    this.agent = agent;
    this.broadcast({ type: "message", message: this.commit({ role: "system", content: "", event, author: agent }) });
    this.broadcast({ type: "status", status, ...(agent ? { agent } : {}) });
  }

  rate(socket, { message_id, rating, comment }) {
    const rated = this.messages.find((m) => m.id === message_id && m.role === "assistant");
    if (!rated) return this.send(socket, { type: "error", code: "not_found", detail: "no such answer", id: message_id });
    rated.metadata = { ...rated.metadata, feedback: { rating, comment: comment ?? "" } };
  }

  receive(socket, data) {
    let frame;
    try {
      frame = JSON.parse(data);
    } catch {
      return this.send(socket, { type: "error", code: "bad_frame", detail: "not JSON" });
    }
    this.chaos.received.push(frame);
    switch (frame.type) {
      case "typing": return this.broadcast({ type: "typing", who: "visitor" }, socket);
      case "read": return void (this.readSeq = Math.max(this.readSeq, frame.seq));
      case "handoff": return this.status === "ai" && this.change("waiting", "waiting");
      case "end": return this.change("ended", "ended");
      case "ping": return this.send(socket, { type: "pong" });
      case "resume": return this.resume(socket, frame.after);
      case "stop": return this.running && (this.running.stopped = true);
      case "message": return void this.question(socket, frame);
      case "feedback": return this.rate(socket, frame);
      default: return this.send(socket, { type: "error", code: "bad_frame", detail: `unknown type ${frame.type}` });
    }
  }

  resume(socket, after) {
    const partial = this.running && { message_id: this.running.id, text: this.running.text };
    this.send(socket, {
      type: "history", messages: this.messages.filter((m) => m.seq > after), complete: true, ...(partial ? { partial } : {}),
    });
  }

  question(socket, { id, content }) {
    if (this.status === "ended") Object.assign(this, { session: null, messages: [], status: "ai", readSeq: 0 });
    const known = this.messages.find((m) => m.client_id === id);
    const refusal = this.chaos.refuse.shift();
    if (points(content).length > 8000) return this.send(socket, { type: "error", code: "too_long", detail: "8,000 at most", id });
    if (!known && refusal?.before) return this.send(socket, { type: "error", ...refusal.frame, id });
    const message = known ?? this.commit({ role: "user", content, client_id: id });
    if (this.chaos.losingAck) {
      this.chaos.losingAck = false;
      socket.terminate();
    }
    this.send(socket, { type: "ack", id, message_id: message.id, seq: message.seq, session: message.session });
    if (known) return undefined;
    this.broadcast({ type: "message", message }, socket);
    if (refusal) return this.send(socket, { type: "error", ...refusal.frame });
    return this.status === "ai" ? this.answer(content) : undefined;
  }

  /** Streams to whoever is connected; goes on when nobody is. */
  async answer(question) {
    const { text, ...fields } = answerTo(question);
    const run = (this.running = { id: randomUUID(), text: "", stopped: false });
    const slow = question.includes("slow") ? 8 : 1;
    await wait(350 * slow);
    this.broadcast({ type: "start", message_id: run.id });
    await wait(200);
    const all = points(text);
    for (let offset = 0; offset < all.length && !run.stopped;) {
      const size = 1 + Math.floor(Math.random() * 7);
      const piece = all.slice(offset, offset + size).join("");
      run.text += piece;
      this.broadcast({ type: "delta", message_id: run.id, offset, text: piece });
      offset += size;
      await wait(this.chaos.pace * slow);
    }
    this.running = null;
    const message = this.commit({
      ...fields, id: run.id, role: "assistant", content: run.text, status: run.stopped ? "interrupted" : fields.status,
    });
    this.broadcast({ type: "message", message });
  }
}
