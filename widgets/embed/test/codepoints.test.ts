import assert from "node:assert/strict";
import { test } from "node:test";
import { grow, growing, lengthOf, skip, type GrowingText } from "../src/panel/codepoints.ts";
import { chance, randomText } from "./random.ts";

test("length and skip count code points as Python does", () => {
  const random = chance(1);
  for (let round = 0; round < 500; round++) {
    const text = randomText(random, 60);
    const points = [...text];
    const n = Math.floor(random() * 70);
    assert.equal(lengthOf(text), points.length);
    assert.equal(skip(text, n), points.slice(n).join(""));
  }
});

test("lone surrogates count as one each", () => {
  assert.equal(lengthOf("\ud83da\udc4b"), 3);
  assert.equal(lengthOf("a\ud83d"), 2);
});

test("deltas cut anywhere, repeated and overlapping, give the text exactly once", () => {
  for (let seed = 0; seed < 400; seed++) {
    const random = chance(seed);
    const points = [...randomText(random, 120)];
    let known = growing();
    while (known.length < points.length) {
      // From anywhere up to the end of what is known: fresh, repeated, or overlapping.
      const offset = Math.floor(random() * (known.length + 1));
      const size = 1 + Math.floor(random() * 20);
      const grown = grow(known, offset, points.slice(offset, offset + size).join(""));
      assert.ok(grown, `seed ${seed}`);
      known = grown;
      assert.equal(known.text, points.slice(0, known.length).join(""), `seed ${seed}`);
    }
    assert.equal(known.text, points.join(""), `seed ${seed}`);
  }
});

test("a delta after a gap is refused and changes nothing", () => {
  const known: GrowingText = growing("👋a");
  assert.equal(grow(known, 3, "x"), null);
  assert.deepEqual(known, { text: "👋a", length: 2 });
  assert.equal(grow(known, 2, "x")?.text, "👋ax");
});
