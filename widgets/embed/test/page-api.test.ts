import assert from "node:assert/strict";
import { test } from "node:test";
import { Events, publish, type Calls, type PublicApi } from "../src/loader/api.ts";
import { contrast, parseHex, readableOn, textOn, type Rgb } from "../src/colour.ts";
import { de } from "../src/panel/strings/de.ts";
import { es } from "../src/panel/strings/es.ts";
import { fr } from "../src/panel/strings/fr.ts";
import { en } from "../src/panel/strings/en.ts";
import { fill, languageFor } from "../src/panel/strings/language.ts";
import { dayName } from "../src/panel/view/dates.ts";
import { storageName, storeOf } from "../src/panel/storage.ts";

function recorder(): { calls: Calls; log: unknown[][] } {
  const log: unknown[][] = [];
  const names = ["open", "close", "toggle", "send", "identify", "shutdown"] as const;
  const calls = Object.fromEntries(names.map((name) => [name, (...args: unknown[]) => { log.push([name, ...args]); }]));
  return { calls: calls as unknown as Calls, log };
}

test("calls made before the script are replayed in order, on the same object", () => {
  const stub = { q: [["on", "open", () => {}], ["identify", { token: "t" }], ["send", "hi"], ["nonsense"]] };
  const scope = { Frontdesk: stub as unknown as Partial<PublicApi> };
  const { calls, log } = recorder();
  assert.equal(publish(scope, "pk_1", calls, new Events()), true);
  assert.deepEqual(log, [["identify", { token: "t" }], ["send", "hi"]]);
  assert.equal(scope.Frontdesk, stub);
  scope.Frontdesk.q?.push(["open"]);
  assert.deepEqual(log.at(-1), ["open"]);
});

test("a second script on the page does nothing", () => {
  const scope: { Frontdesk?: Partial<PublicApi> } = {};
  assert.equal(publish(scope, "pk_1", recorder().calls, new Events()), true);
  assert.equal(publish(scope, "pk_2", recorder().calls, new Events()), false);
  assert.equal(scope.Frontdesk?.widget, "pk_1");
});

test("listeners come and go; ready is told to who comes late", () => {
  const events = new Events();
  const heard: string[] = [];
  const off = events.on("open", () => heard.push("open"));
  events.emit("ready");
  events.on("ready", () => heard.push("ready"));
  events.emit("open");
  off();
  events.emit("open");
  events.on("close", () => heard.push("close"));
  events.off("close");
  events.emit("close");
  assert.deepEqual(heard, ["ready", "open"]);
});

test("every primary colour gets text of at least 4.5:1, on itself and on our surfaces", () => {
  for (let r = 0; r < 256; r += 15) for (let g = 0; g < 256; g += 15) for (let b = 0; b < 256; b += 15) {
    const colour: Rgb = [r, g, b];
    assert.ok(contrast(colour, textOn(colour)) >= 4.5, String(colour));
    for (const surface of [[244, 244, 247], [38, 38, 45]] as const) {
      assert.ok(contrast(surface, readableOn(surface, colour, 4.5)) >= 4.5, String(colour));
    }
  }
});

test("colours are hex or nothing", () => {
  assert.deepEqual(parseHex("#0f8"), [0, 255, 136]);
  assert.deepEqual(parseHex(" #4F46e5 "), [79, 70, 229]);
  for (const bad of ["red", "#12", "#12345", "url(x)", "", "#ggg"]) assert.equal(parseHex(bad), null);
});

test("every language says everything, with the same places to fill", () => {
  const places = (text: string): string[] => (text.match(/\{\w+\}/g) ?? []).sort();
  for (const language of [de, es, fr]) {
    assert.deepEqual(Object.keys(language), Object.keys(en));
    for (const [name, text] of Object.entries(en)) assert.deepEqual(places(language[name as keyof typeof en]), places(text), name);
  }
});

test("the language is the first wanted one that is one", () => {
  const picked = languageFor([null, "", "not a tag!", "de_AT"]);
  assert.deepEqual([picked.locale, picked.strings.send], ["de-AT", "Senden"]);
  assert.deepEqual([languageFor(["he"]).direction, languageFor(["he"]).stringsIn], ["rtl", "en"]);
  assert.equal(languageFor([]).locale, "en");
  assert.equal(fill("{n} of {all}", { n: 1, all: 2 }), "1 of 2");
});

test("days are named as people name them", () => {
  const now = new Date(2025, 5, 15, 0, 30);
  assert.equal(dayName(new Date(2025, 5, 15, 0, 1).toISOString(), "en", en, now), "Today");
  assert.equal(dayName(new Date(2025, 5, 14, 23, 59).toISOString(), "en", en, now), "Yesterday");
  assert.match(dayName(new Date(2024, 0, 2).toISOString(), "en-GB", en, now), /2 January 2024/);
});

test("the token outlives blocked storage for as long as the page does", () => {
  const kept = new Map<string, string>();
  const storage = { getItem: (k: string) => kept.get(k) ?? null, setItem: (k: string, v: string) => void kept.set(k, v) } as unknown as Storage;
  storeOf(storageName("pk_1"), () => storage).write("t");
  assert.deepEqual([...kept], [["frontdesk:pk_1", "t"]]);
  const blocked = storeOf(storageName("pk_1"), () => { throw new Error("SecurityError"); });
  blocked.write("u");
  assert.equal(blocked.read(), "u");
});
