import assert from "node:assert/strict";
import { test } from "node:test";
import type { BootResponse } from "../src/protocol.ts";
import type { LinkState } from "../src/panel/conversation/state.ts";
import { delayBefore } from "../src/panel/link/backoff.ts";
import { BootRefused, retryAfterMs } from "../src/panel/link/boot.ts";
import { Link, type Socket } from "../src/panel/link/link.ts";

class FakeSocket {
  onmessage: ((event: { data: unknown }) => void) | null = null;
  onclose: ((event: { code: number }) => void) | null = null;
  sent: string[] = [];
  isClosed = false;
  send(data: string): void { this.sent.push(data); }
  close(): void { this.isClosed = true; }
  ready(): void { this.onmessage?.({ data: '{"type":"ready","session":null,"last_seq":0}' }); }
}

/** A world whose clock only moves when told to. */
class World {
  clock = 0;
  boots = 0;
  online = true;
  sockets: FakeSocket[] = [];
  states: [LinkState, string | undefined][] = [];
  booted = 0;
  blocked = { at: -Infinity };
  overHttp: boolean[] = [];
  answer: () => BootResponse = () => ({}) as BootResponse;
  private timers: { at: number; act: () => void }[] = [];
  readonly link = new Link({
    boot: async () => { this.boots++; return this.answer(); },
    open: (_, overHttp) => { this.overHttp.push(overHttp); const s = new FakeSocket(); this.sockets.push(s); return s as unknown as Socket; },
    after: (ms, act) => {
      const timer = { at: this.clock + ms, act };
      this.timers.push(timer);
      return () => { this.timers = this.timers.filter((t) => t !== timer); };
    },
    now: () => this.clock,
    random: () => 1,
    isOnline: () => this.online,
    blocked: this.blocked,
  }, {
    booted: () => { this.booted++; },
    frame: () => {},
    state: (state, refusal) => { this.states.push([state, refusal]); },
  });

  get socket(): FakeSocket { return this.sockets.at(-1) as FakeSocket; }

  async pass(ms: number): Promise<void> {
    const end = this.clock + ms;
    for (;;) {
      await new Promise((done) => setImmediate(done));
      const next = this.timers.filter((t) => t.at <= end).sort((a, b) => a.at - b.at)[0];
      if (!next) break;
      this.timers = this.timers.filter((t) => t !== next);
      this.clock = Math.max(this.clock, next.at);
      next.act();
    }
    this.clock = end;
  }

  async up(): Promise<this> {
    this.link.start();
    await this.pass(0);
    this.socket.ready();
    return this;
  }
}

test("delays double up to thirty seconds, half of each random", () => {
  assert.deepEqual([0, 1, 2, 3, 10, 1000].map((n) => delayBefore(n, 1)), [500, 1000, 2000, 4000, 30000, 30000]);
  assert.equal(delayBefore(3, 0), 2000);
});

test("Retry-After is seconds or a date", () => {
  assert.equal(retryAfterMs("7", 0), 7000);
  assert.equal(retryAfterMs("Thu, 01 Jan 1970 00:00:09 GMT", 1000), 8000);
  assert.equal(retryAfterMs("soon", 0), null);
  assert.equal(retryAfterMs(null, 0), null);
});

test("each connection has a boot of its own; a prewarmed one counts while it is fresh", async () => {
  const world = new World();
  world.link.prewarm();
  world.link.prewarm();
  await world.pass(1000);
  await world.up();
  assert.deepEqual([world.boots, world.booted, world.sockets.length], [1, 1, 1]);
  world.socket.onclose?.({ code: 1006 });
  await world.pass(600);
  assert.deepEqual([world.boots, world.booted, world.sockets.length], [2, 2, 2]);

  const late = new World();
  late.link.prewarm();
  await late.pass(50_000);
  await late.up();
  assert.equal(late.boots, 2);
});

test("a boot made ahead for one visitor is not used for the next", async () => {
  const world = new World();
  world.link.prewarm();
  world.link.stop();
  await world.up();
  assert.deepEqual([world.boots, world.booted], [2, 1]);
});

test("attempts that fail come ever later; a stable connection starts over", async () => {
  const world = new World();
  world.answer = () => { throw new Error("no network"); };
  world.link.start();
  await world.pass(60_000);
  assert.ok(world.boots >= 6 && world.boots <= 8, String(world.boots));
  world.answer = () => ({}) as BootResponse;
  while (!world.sockets.length) await world.pass(100);
  world.socket.ready();
  await world.pass(4_000);
  const before = world.boots;
  world.socket.onclose?.({ code: 1006 });
  await world.pass(501);
  assert.equal(world.boots, before + 1);
});

test("a restarting server is come back to at once, a used ticket with a new boot", async () => {
  const world = await new World().up();
  world.socket.onclose?.({ code: 1012 });
  await world.pass(300);
  assert.equal(world.sockets.length, 2);
  world.socket.onclose?.({ code: 4401 });
  await world.pass(2000);
  assert.equal(world.sockets.length, 3);
  assert.equal(world.boots, 3);
});

test("4429 and Retry-After are kept to", async () => {
  const world = await new World().up();
  world.socket.onclose?.({ code: 4429 });
  await world.pass(9_900);
  assert.equal(world.boots, 1);
  world.answer = () => { throw new BootRefused(429, "too_fast", 20_000); };
  await world.pass(200);
  assert.equal(world.boots, 2);
  await world.pass(19_700);
  assert.equal(world.boots, 2);
  await world.pass(400);
  assert.equal(world.boots, 3);
});

test("what cannot get better is not tried again", async () => {
  for (const [status, code] of [[404, "widget_not_found"], [403, "origin_not_allowed"], [401, "identity_invalid"]] as const) {
    const world = new World();
    world.answer = () => { throw new BootRefused(status, code, null); };
    world.link.start();
    await world.pass(120_000);
    assert.equal(world.boots, 1);
    assert.deepEqual(world.states.at(-1), ["refused", code]);
    world.link.wake();
    await world.pass(1000);
    assert.equal(world.boots, 1);
  }
  const world = await new World().up();
  world.socket.onclose?.({ code: 4403 });
  assert.deepEqual(world.states.at(-1), ["refused", "origin_not_allowed"]);
});

test("waking tries at once, and finds out a dead connection", async () => {
  const world = new World();
  world.answer = () => { throw new Error("no network"); };
  world.link.start();
  await world.pass(40_000);
  const before = world.boots;
  world.answer = () => ({}) as BootResponse;
  world.link.wake();
  await world.pass(0);
  assert.equal(world.boots, before + 1);
  world.socket.ready();
  world.link.wake();
  assert.deepEqual(world.socket.sent, ['{"type":"ping"}']);
  const dead = world.socket;
  await world.pass(8_100);
  assert.equal(dead.isClosed, true);
  assert.notEqual(world.socket, dead);
});

test("a connection that answers its pings stays", async () => {
  const world = await new World().up();
  for (let i = 0; i < 10; i++) {
    await world.pass(25_000);
    world.socket.onmessage?.({ data: '{"type":"pong"}' });
  }
  assert.equal(world.sockets.length, 1);
  assert.equal(world.socket.sent.length, 10);
});

test("after stop, an old boot or socket changes nothing", async () => {
  const world = new World();
  world.link.start();
  world.link.stop();
  await world.pass(60_000);
  assert.equal(world.sockets.length, 0);
  await world.up();
  const old = world.socket;
  world.link.stop();
  old.onclose?.({ code: 1006 });
  await world.pass(60_000);
  assert.equal(world.sockets.length, 1);
  assert.equal(world.link.send({ type: "ping" }), false);
});

test("frames that are no frames are passed over", async () => {
  const world = await new World().up();
  for (const data of ["{", "null", "[]", '{"type":"new_thing"}', new ArrayBuffer(1)]) world.socket.onmessage?.({ data });
  assert.equal(world.sockets.length, 1);
});

test("sockets that never say a word are taken to be blocked, and tried again later", async () => {
  const world = new World();
  world.link.start();
  await world.pass(0);
  world.socket.onclose?.({ code: 1006 });
  await world.pass(1_000);
  world.socket.onclose?.({ code: 1006 });
  await world.pass(10);
  assert.deepEqual(world.overHttp, [false, false, true]);
  world.socket.ready();
  world.clock += 310_000;
  world.socket.onclose?.({ code: 1006 });
  await world.pass(5_000);
  assert.equal(world.overHttp.at(-1), false);
});

test("one socket without an answer is enough, and a restarting server is no proxy", async () => {
  const world = new World();
  world.link.start();
  await world.pass(6_100);
  assert.deepEqual(world.overHttp, [false, true]);
  const other = new World();
  other.link.start();
  await other.pass(0);
  for (const code of [1012, 1012, 1012, 4401]) {
    other.socket.onclose?.({ code });
    await other.pass(900);
  }
  assert.deepEqual(other.overHttp, [false, false, false, false]);
});
