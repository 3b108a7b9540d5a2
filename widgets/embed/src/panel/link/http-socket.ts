/**
 * A socket over plain HTTP, for networks that let no other through: each frame is a request that is answered by an
 * event stream, and polls tell what else is said. To the link it looks like any socket.
 */
import type { ServerFrame } from "../../frames.ts";
import type * as p from "../../protocol.ts";
import type { Socket } from "./link.ts";

type Poll = p.ServerHistory & { session: p.ServerReady["session"] };

const POLL_MS = 4_000;
const HIDDEN_POLL_MS = 20_000;
/** The close codes of the real socket, by the status that an HTTP request is refused with. */
const CODES: Record<number, number> = { 401: 4401, 403: 4403, 404: 4404, 429: 4429 };
const LOST = 1006;

/** A message came too soon after others. */
class TooFast {
  constructor(readonly id: string, readonly seconds: number) {}
}

export class HttpSocket implements Socket {
  onmessage: WebSocket["onmessage"] = null;
  onclose: WebSocket["onclose"] = null;
  private session: p.ServerReady["session"] = null;
  private after = 0;
  private streams = 0;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private readonly ending = new AbortController();

  constructor(private readonly url: string, private readonly token: string) {
    void this.hold(async () => {
      const { session } = await this.poll(0);
      this.session = session;
      this.after = session?.last_seq ?? 0;
      this.tell({ type: "ready", session, last_seq: this.after });
    });
  }

  send(data: string): void {
    const frame = JSON.parse(data) as { type: string; after?: number };
    // Whether anybody is there shows with the next request.
    if (frame.type === "ping") return void queueMicrotask(() => this.tell({ type: "pong" }));
    void this.hold(async () => {
      if (frame.type === "resume") this.take(await this.poll(frame.after as number), true);
      else await this.stream(data);
    });
  }

  close(): void {
    this.ending.abort();
    clearTimeout(this.timer);
  }

  /** Does one request. No poll runs beside it: that would tell again what a stream is telling. */
  private async hold(work: () => Promise<void>): Promise<void> {
    this.streams++;
    clearTimeout(this.timer);
    try {
      await work();
    } catch (error) {
      if (!this.ending.signal.aborted) this.lose(typeof error === "number" ? error : LOST);
    } finally {
      if (!--this.streams) this.later();
    }
  }

  private later(): void {
    if (this.ending.signal.aborted || !this.session || this.session.status === "ended") return;
    const wait = globalThis.document?.hidden ? HIDDEN_POLL_MS : POLL_MS;
    this.timer = setTimeout(() => void this.hold(async () => this.take(await this.poll(this.after), false)), wait);
  }

  private async request(url: string, body?: string): Promise<Response> {
    const response = await fetch(url, {
      method: body === undefined ? "GET" : "POST",
      headers: { Authorization: `Bearer ${this.token}`, ...(body === undefined ? {} : { "Content-Type": "application/json" }) },
      ...(body === undefined ? {} : { body }),
      credentials: "omit",
      cache: "no-store",
      signal: this.ending.signal,
    });
    const { id } = JSON.parse(body ?? "{}") as { id?: string };
    if (response.status === 429 && id) throw new TooFast(id, Number(response.headers.get("Retry-After")) || 1);
    if (!response.ok) throw CODES[response.status] ?? LOST;
    return response;
  }

  private async poll(after: number): Promise<Poll> {
    return (await (await this.request(`${this.url}?after=${after}`)).json()) as Poll;
  }

  /** Tells what a poll has found: always where it was asked for, else only what is new. */
  private take({ session, ...history }: Poll, asked: boolean): void {
    const before = this.session;
    if (!asked && session && session.id !== before?.id) {
      this.lose(LOST); // another tab has begun another conversation: boot tells of it
      return;
    }
    this.session = session ?? (before && { ...before, status: "ended" });
    if (asked || history.messages.length || history.partial) this.tell(history);
    if (!asked && before && this.session && before.status !== this.session.status) {
      this.tell({ type: "status", status: this.session.status });
    }
  }

  private async stream(data: string): Promise<void> {
    const { body } = await this.request(this.url, data).catch((refused: unknown) => {
      if (!(refused instanceof TooFast)) throw refused;
      this.tell({ type: "error", code: "too_fast", detail: "", id: refused.id, retry_after: refused.seconds });
      return { body: null };
    });
    if (!body) return;
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    for (let text = ""; ;) {
      const { done, value } = await reader.read();
      if (done) return;
      const events = (text + value).split("\n\n");
      text = events.pop() as string;
      for (const event of events) if (event.startsWith("data: ")) this.tell(JSON.parse(event.slice(6)) as ServerFrame);
    }
  }

  private tell(frame: ServerFrame): void {
    if (this.ending.signal.aborted) return;
    if (frame.type === "ack") {
      if (this.session?.id !== frame.session) this.session = { id: frame.session, status: "ai", last_seq: 0 };
      this.after = Math.max(this.session?.last_seq ? this.after : 0, frame.seq);
      this.session = this.session && { ...this.session, last_seq: this.after };
    } else if (frame.type === "message") this.after = Math.max(this.after, frame.message.seq);
    else if (frame.type === "history") this.after = Math.max(this.after, ...frame.messages.map((m) => m.seq));
    else if (frame.type === "status" && this.session) this.session = { ...this.session, status: frame.status };
    this.onmessage?.call(this as unknown as WebSocket, { data: JSON.stringify(frame) } as MessageEvent);
  }

  private lose(code: number): void {
    this.close();
    this.onclose?.call(this as unknown as WebSocket, { code } as CloseEvent);
  }
}
