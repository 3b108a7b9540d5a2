/**
 * Keeps one socket up for as long as it is wanted: boot, connect, and again after every loss. Where no socket gets
 * through, one over HTTP stands in for it.
 */
import { parseFrame, type ClientFrame, type ServerFrame } from "../../frames.ts";
import type { BootResponse } from "../../protocol.ts";
import type { LinkState } from "../conversation/state.ts";
import { delayBefore } from "./backoff.ts";
import { BootRefused } from "./boot.ts";

/** The part of WebSocket that the link uses. */
export type Socket = Pick<WebSocket, "onmessage" | "onclose" | "send" | "close">;

/** The world outside, so that tests can hold the clock. */
export interface Ports {
  boot(): Promise<BootResponse>;
  open(boot: BootResponse, overHttp: boolean): Socket;
  after(ms: number, act: () => void): () => void;
  now(): number;
  random(): number;
  isOnline(): boolean;
  /** When sockets were last found to be blocked, in now()'s time; it outlives the page in the same tab. */
  blocked: { at: number };
}

export interface LinkEvents {
  booted(boot: BootResponse): void;
  frame(frame: ServerFrame): void;
  state(state: LinkState, refusal?: string): void;
}

/** A ticket lives 60 seconds; an older boot than this is not connected with. */
const FRESH_MS = 45_000;
/** Counts as a good connection, after which the backoff starts over. */
const STABLE_MS = 3_000;
const CONNECT_TIMEOUT_MS = 6_000;
/** Sockets in a row that never said a word, after which they are taken to be blocked. */
const BLOCKED_AFTER = 2;
/** How long it then takes until a socket is tried again. */
const HTTP_FOR_MS = 300_000;
const PING_EVERY_MS = 25_000;
const PONG_WITHIN_MS = 8_000;
const TOO_FAST_MS = 10_000;

export class Link {
  private wanted = false;
  private refused = false;
  private socket: Socket | null = null;
  private ahead: { boot: Promise<BootResponse>; at: number; isTold: boolean } | null = null;
  /** Grows with every attempt and every stop: what belongs to an older one is ignored. */
  private turn = 0;
  private failures = 0;
  /** Whether a frame has come on this socket. */
  private isUp = false;
  /** Sockets in a row that were opened and never said a word, although boot did just before. */
  private mute = 0;
  private timers = new Map<string, () => void>();

  constructor(private readonly ports: Ports, private readonly events: LinkEvents) {}

  /** Boots ahead of start(); a boot that fails is simply done again then. */
  prewarm(): void {
    if (this.wanted || this.ahead || this.refused) return;
    const ahead = { boot: this.ports.boot(), at: this.ports.now(), isTold: false };
    this.ahead = ahead;
    ahead.boot.then((boot) => {
      // Meanwhile it may have been taken by an attempt, which tells of it, or dropped by stop().
      if (this.ahead !== ahead) return;
      ahead.isTold = true;
      this.events.booted(boot);
    }, () => { if (this.ahead === ahead) this.ahead = null; });
  }

  start(): void {
    if (this.wanted && !this.refused) return;
    this.wanted = true;
    this.refused = false;
    void this.attempt();
  }

  stop(): void {
    this.wanted = this.refused = false;
    this.failures = 0;
    this.ahead = null;
    this.drop();
    this.events.state("idle");
  }

  /** Boots and connects anew, no faster than after any other loss. */
  reconnect(): void {
    this.again(null);
  }

  /** False where there is no connection; the frame is not kept. */
  send(frame: ClientFrame): boolean {
    if (!this.socket || !this.isUp) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** The network is back or the page is seen again: do not wait, and do not trust an old connection. */
  wake(): void {
    if (!this.wanted || this.refused) return;
    if (this.timers.has("retry")) {
      this.failures = 0;
      void this.attempt();
    } else if (this.isUp) this.probe();
  }

  offline(): void {
    if (this.wanted && !this.refused) this.events.state("offline");
  }

  private async attempt(): Promise<void> {
    this.drop();
    const turn = this.turn;
    this.events.state(this.ports.isOnline() ? "connecting" : "offline");
    try {
      const ahead = this.ahead && this.ports.now() - this.ahead.at < FRESH_MS ? this.ahead : null;
      this.ahead = null;
      const boot = await (ahead?.boot ?? this.ports.boot());
      if (turn !== this.turn) return;
      if (!ahead?.isTold) this.events.booted(boot);
      this.connect(boot, turn);
    } catch (error) {
      if (turn !== this.turn) return;
      if (error instanceof BootRefused && error.final) this.refuse(error.code);
      else this.again(error instanceof BootRefused ? error.retryAfterMs : null);
    }
  }

  private connect(boot: BootResponse, turn: number): void {
    const overHttp = this.ports.now() - this.ports.blocked.at < HTTP_FOR_MS;
    const socket = (this.socket = this.ports.open(boot, overHttp));
    this.isUp = false;
    this.timer("connect", CONNECT_TIMEOUT_MS, () => {
      // A firewall that drops what it does not like answers nothing at all: once is enough.
      this.again(!overHttp && this.isBlocked(BLOCKED_AFTER) ? 0 : null);
    });
    socket.onmessage = ({ data }) => {
      if (turn !== this.turn) return;
      const frame = parseFrame(data);
      if (!frame) return;
      if (!overHttp) this.mute = 0;
      if (!this.isUp) this.established();
      this.cancel("pong");
      this.events.frame(frame);
    };
    socket.onclose = ({ code }) => {
      if (turn !== this.turn) return;
      const mute = !overHttp && !this.isUp && code < 4000 && code !== 1012;
      if (mute && this.isBlocked(1)) this.again(0);
      else this.closed(code);
    };
  }

  private isBlocked(weight: number): boolean {
    this.mute += weight;
    if (this.mute < BLOCKED_AFTER) return false;
    this.mute = BLOCKED_AFTER - 1;
    this.ports.blocked.at = this.ports.now();
    return true;
  }

  private established(): void {
    this.isUp = true;
    this.cancel("connect");
    this.timer("stable", STABLE_MS, () => { this.failures = 0; });
    this.timer("ping", PING_EVERY_MS, () => this.probe());
  }

  /** A half-open connection looks alive until one asks it something. */
  private probe(): void {
    this.send({ type: "ping" });
    this.timer("pong", PONG_WITHIN_MS, () => this.again(0));
    this.timer("ping", PING_EVERY_MS, () => this.probe());
  }

  private closed(code: number): void {
    if (code === 4403) this.refuse("origin_not_allowed");
    else if (code === 4429) this.again(TOO_FAST_MS);
    // A restarting server drains at once, but not every visitor in the same instant.
    else if (code === 1012) this.again(this.failures < 3 ? this.ports.random() * 300 : null);
    else this.again(null);
  }

  /** Waits, longer each time, at least `atLeast` where the server said how long (null: the backoff decides). */
  private again(atLeast: number | null): void {
    this.drop();
    if (!this.wanted) return;
    const backoff = delayBefore(this.failures++, this.ports.random());
    const wait = atLeast === null ? backoff : atLeast < 1000 ? atLeast : Math.max(atLeast, backoff);
    this.events.state(this.ports.isOnline() ? "connecting" : "offline");
    this.timer("retry", wait, () => void this.attempt());
  }

  private refuse(code: string): void {
    this.drop();
    this.refused = true;
    this.events.state("refused", code);
  }

  private drop(): void {
    this.turn++;
    for (const cancel of this.timers.values()) cancel();
    this.timers.clear();
    const socket = this.socket;
    this.socket = null;
    this.isUp = false;
    socket?.close();
  }

  private timer(name: string, ms: number, act: () => void): void {
    this.cancel(name);
    this.timers.set(name, this.ports.after(ms, () => {
      this.timers.delete(name);
      act();
    }));
  }

  private cancel(name: string): void {
    this.timers.get(name)?.();
    this.timers.delete(name);
  }
}
