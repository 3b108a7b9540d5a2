import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { solve } from "../src/proof/proof.ts";
import { firstWord } from "../src/proof/sha256.ts";
import { BootRefused } from "../src/panel/link/boot.ts";

const sha256 = (text: string): string => createHash("sha256").update(text).digest("hex");

test("the hash is SHA-256 for every length that fits", () => {
  for (let length = 0; length <= 55; length++) {
    const text = Array.from({ length }, (_, i) => String.fromCharCode(33 + ((i * 7 + length * 13) % 90))).join("");
    assert.equal(firstWord(text), parseInt(sha256(text).slice(0, 8), 16), text);
  }
});

test("a solution solves each puzzle, also the hardest number fits", async () => {
  for (const bits of [4, 9, 12]) {
    const seed = sha256(`token ${bits}`).slice(0, 32);
    const numbers = await solve({ token: "t", seed, count: 8, bits });
    assert.equal(numbers.length, 8);
    numbers.forEach((number, i) => {
      assert.equal(parseInt(sha256(`${seed}.${i}.${number}`).slice(0, 8), 16) >>> (32 - bits), 0);
    });
  }
  assert.ok(`${"f".repeat(32)}.63.${2 ** 32}`.length <= 55);
});

test("it never keeps the thread for long", async () => {
  let turns = 0;
  let isDone = false;
  const watch = (): void => {
    turns++;
    if (!isDone) setImmediate(watch);
  };
  setImmediate(watch);
  const before = performance.now();
  await solve({ token: "t", seed: sha256("slow").slice(0, 32), count: 8, bits: 13 });
  isDone = true;
  assert.ok(turns >= (performance.now() - before) / 50, `${turns} turns`);
});

test("who was asked for a proof may ask again", () => {
  assert.equal(new BootRefused(428, "proof_of_work_required", null).final, false);
  assert.equal(new BootRefused(403, "origin_not_allowed", null).final, true);
});
