/** Runs one conversation: takes what happens to the state machine and does what it asks for. */
import { PROOF_SLOT, type EventName, type SolveProof } from "../seam.ts";
import { EMPTY, isAnswering, type Conversation, type Effect, type Happening, type Problem } from "./conversation/state.ts";
import { reduce } from "./conversation/reduce.ts";
import { boot, BootRefused } from "./link/boot.ts";
import { HttpSocket } from "./link/http-socket.ts";
import { Link, type Ports } from "./link/link.ts";
import { storageName, storeOf, type Store } from "./storage.ts";
import type { MessageObject, ProofChallenge } from "../protocol.ts";

export interface ChatEvents {
  changed(state: Conversation): void;
  arrived(message: MessageObject, live: boolean): void;
  failed(problem: Problem): void;
  unread(count: number): void;
  emit(event: EventName, detail: unknown): void;
}

/** Nothing of an answer for this long: none will come. Longer than any model is waited for by the server. */
const GIVE_UP_MS = 90_000;
const TYPING_MS = 6_000;
/** A sign of life while writing is sent no more often than this. */
const TYPING_EVERY_MS = 2_500;

export class Chat {
  state: Conversation = EMPTY;
  private readonly link: Link;
  private readonly store: Store;
  private identity: string | null = null;
  /** The token of a visitor with an identity: never stored, so that the next person here does not get it. */
  private verifiedToken: string | null = null;
  private typedAt = -Infinity;
  private readonly timers = new Map<string, ReturnType<typeof setTimeout>>();
  private readonly ending = new AbortController();

  constructor(
    private readonly bootUrl: string, private readonly key: string, private readonly events: ChatEvents,
    private readonly load: (url: string) => Promise<void>,
  ) {
    this.store = storeOf(storageName(key));
    this.link = new Link(this.ports(), {
      booted: (response) => this.happen({ type: "booted", boot: response }),
      frame: (frame) => this.happen({ type: "frame", frame, now: Date.now() }),
      state: (state, refusal) => this.linked(state, refusal),
    });
    const { signal } = this.ending;
    addEventListener("online", () => this.link.wake(), { signal });
    addEventListener("offline", () => this.link.offline(), { signal });
    const unread = storageName(key, "unread");
    addEventListener("storage", ({ key: name, newValue }) => {
      if (name === unread && newValue === null) this.happen({ type: "read_elsewhere" });
    }, { signal });
    addEventListener("pageshow", () => this.link.wake(), { signal });
    document.addEventListener("visibilitychange", () => {
      this.happen({ type: "page_seen", visible: !document.hidden });
      if (!document.hidden) this.link.wake();
    }, { signal });
  }

  prewarm(): void {
    this.link.prewarm();
  }

  connect(): void {
    this.link.start();
  }

  /** A visitor who has asked nothing needs no connection while the panel is closed. */
  rest(): void {
    if (!this.state.session && !this.state.pending.length) this.link.stop();
  }

  /** Another visitor from here on: nothing of the one before stays, neither on screen nor in a connection. */
  identify(token: string | null): void {
    if (token === this.identity) return;
    const { link, isOpen, name, personality, settings } = this.state;
    this.identity = token;
    this.verifiedToken = null;
    this.link.stop();
    if (this.state.unread) this.events.unread(0);
    this.state = { ...EMPTY, isOpen, isVisible: !document.hidden, name, personality, settings };
    this.events.changed(this.state);
    if (link !== "idle") this.link.start();
  }

  send(text: string): void {
    const content = text.trim();
    if (content) this.happen({ type: "composed", id: crypto.randomUUID(), content, createdAt: new Date().toISOString() });
  }

  /** The visitor is writing, which only a person cares to see. */
  typing(): void {
    const status = this.state.session?.status;
    const now = Date.now();
    if ((status !== "waiting" && status !== "human") || now - this.typedAt < TYPING_EVERY_MS) return;
    this.typedAt = now;
    this.link.send({ type: "typing" });
  }

  end(): void {
    this.ending.abort();
    this.timers.forEach(clearTimeout);
    this.link.stop();
  }

  happen(happening: Happening): void {
    const before = this.state;
    const { state, effects } = reduce(before, happening);
    this.state = state;
    effects.forEach((effect) => this.apply(effect));
    this.watch(before, state);
    if (before.unread !== state.unread) this.events.unread(state.unread);
    if (before !== state) this.events.changed(this.state);
  }

  private apply(effect: Effect): void {
    switch (effect.type) {
      case "send": this.link.send(effect.frame); break;
      case "reconnect": this.link.reconnect(); break;
      case "retry_later": this.later(`retry:${effect.id}`, effect.at - Date.now(), { type: "retried", id: effect.id }); break;
      case "arrived": this.events.arrived(effect.message, effect.live); break;
      case "failed": this.events.failed(effect.problem); break;
    }
  }

  /** Puts an end to waiting that the server did not end. */
  private watch(before: Conversation, state: Conversation): void {
    if (before.answer !== state.answer || before.awaiting !== state.awaiting || before.ready !== state.ready) {
      if (isAnswering(state) && state.ready) this.later("answer", GIVE_UP_MS, { type: "gave_up_waiting" });
      else this.cancel("answer");
    }
    if (state.typing !== null) this.later("typing", TYPING_MS, { type: "typing_ended" });
    else this.cancel("typing");
  }

  private linked(state: Conversation["link"], refusal: string | undefined): void {
    this.happen({ type: "link", state, ...(refusal === undefined ? {} : { refusal }) });
    if (refusal !== undefined) this.events.emit("error", { code: refusal, detail: "" });
  }

  private later(name: string, ms: number, happening: Happening): void {
    this.cancel(name);
    this.timers.set(name, setTimeout(() => this.happen(happening), Math.max(0, ms)));
  }

  private cancel(name: string): void {
    clearTimeout(this.timers.get(name));
    this.timers.delete(name);
  }

  /** Under attack a widget asks for a little work first, which few visitors ever see. */
  private async solve(challenge: ProofChallenge): Promise<number[]> {
    const solvers = window as unknown as Record<symbol, SolveProof | undefined>;
    if (!solvers[PROOF_SLOT]) await this.load(new URL(this.bootUrl.replace(/boot$/, "proof.js"), location.href).href);
    return (solvers[PROOF_SLOT] as SolveProof)(challenge);
  }

  private ports(): Ports {
    const blocked = storeOf(storageName(this.key, "blocked"), () => sessionStorage);
    return {
      boot: async () => {
        const identity = this.identity;
        const token = (identity && this.verifiedToken) || this.store.read();
        const request = { widget: this.key, visitor_token: token, identity };
        const response = await boot(this.bootUrl, request).catch(async (refused: unknown) => {
          const challenge = refused instanceof BootRefused && refused.challenge;
          if (!challenge) throw refused;
          const proof = { token: challenge.token, numbers: await this.solve(challenge) };
          return boot(this.bootUrl, { ...request, proof });
        });
        if (identity === this.identity) {
          if (identity) this.verifiedToken = response.visitor_token;
          else this.store.write(response.visitor_token);
        }
        return response;
      },
      open: ({ socket_url: url, visitor_token: token }, overHttp) =>
        overHttp ? new HttpSocket(this.bootUrl.replace(/boot$/, "messages"), token) : new WebSocket(url),
      after(ms, act) {
        const timer = setTimeout(act, ms);
        return () => clearTimeout(timer);
      },
      now: () => Date.now(),
      random: () => Math.random(),
      isOnline: () => navigator.onLine,
      blocked: {
        get at() { return Number(blocked.read() ?? -Infinity); },
        set at(when) { blocked.write(String(when)); },
      },
    };
  }
}
