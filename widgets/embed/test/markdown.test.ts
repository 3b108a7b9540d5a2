import assert from "node:assert/strict";
import { test } from "node:test";
import { parseBlocks } from "../src/panel/markdown/blocks.ts";
import { parseInline } from "../src/panel/markdown/inline.ts";
import { safeUrl } from "../src/panel/markdown/links.ts";
import { plainText } from "../src/panel/markdown/plain.ts";
import { drawBlock } from "../src/panel/markdown/render.ts";
import type { Block } from "../src/panel/markdown/tree.ts";
import { FakeElement, fakeDocument } from "./fake-dom.ts";
import { chance, randomText } from "./random.ts";

const blocks = (text: string, citations = 0): Block[] => parseBlocks(text, citations).map(({ block }) => block);

function draw(text: string, citations = 0): FakeElement {
  const root = new FakeElement("root");
  for (const block of blocks(text, citations)) {
    root.append(drawBlock(block, { document: fakeDocument, citation: null, copyLabel: "Copy", copy: () => {} }) as unknown as FakeElement);
  }
  return root;
}

const ATTACKS = [
  "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "<svg/onload=alert(1)>", "<iframe src=javascript:alert(1)>",
  "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](java\tscript:alert(1))", "[x](&#106;avascript:alert(1))",
  "[x](javascript&colon;alert(1))", "[x](data:text/html,<script>alert(1)</script>)", "[x](vbscript:msgbox(1))",
  "[x](file:///etc/passwd)", "[x](//evil.example)", "[x](/relative)", "![x](javascript:alert(1))", "<javascript:alert(1)>",
  "[x](https://a\"onmouseover=alert(1))", "[x](\u0001javascript:alert(1))", "[x]( javascript:alert(1))", "[x](blob:https://a/b)",
  "`<img src=x onerror=alert(1)>`", "```html\n<script>alert(1)</script>\n```", "| <b>a</b> |\n|---|\n| <i onclick=alert(1)>b</i> |",
  "[![x](https://e/x.png)](javascript:alert(1))", "**<style>*{display:none}</style>**", "[a](https://bank.example@evil.example)",
];

test("hostile markdown draws only known elements, attributes and addresses", () => {
  const tags = new Set(("root p h3 h4 h5 h6 strong em s a code pre br hr ul ol li blockquote table thead tbody tr th td sup div span button").split(" "));
  const attributes = new Set(["href", "target", "rel", "className", "tabIndex", "dir", "type", "start", "scope", "role"]);
  const random = chance(7);
  const mixed = Array.from({ length: 400 }, () =>
    randomText(random, 40) + ATTACKS[Math.floor(random() * ATTACKS.length)] + randomText(random, 40));
  for (const text of [...ATTACKS, ...ATTACKS.map((a) => `> - ${a}`), ...mixed]) {
    for (const node of draw(text, 3).all()) {
      assert.ok(tags.has(node.tag), `${node.tag} from ${text}`);
      for (const [name, value] of Object.entries(node.attributes())) {
        assert.ok(attributes.has(name), `${name} from ${text}`);
        if (name === "href") assert.match(String(value), /^(https?:\/\/[^/@]+(\/|$)|mailto:)/, text);
      }
      if (node.tag === "a") assert.deepEqual([node["target"], node["rel"]], ["_blank", "noopener noreferrer nofollow"]);
    }
  }
});

test("a link holds no other link", () => {
  for (const text of ["[https://a.example](https://b.example)", "[a [b](https://c.example)](https://d.example)", "[<https://a.example>](https://b.example)"]) {
    for (const anchor of draw(text).all().filter((n) => n.tag === "a")) {
      assert.equal(anchor.all().filter((n) => n.tag === "a").length, 1, text);
    }
  }
});

test("only absolute http, https and mailto addresses are safe", () => {
  assert.equal(safeUrl("https://example.com/a?b=c#d"), "https://example.com/a?b=c#d");
  assert.equal(safeUrl("mailto:a@b.example"), "mailto:a@b.example");
  for (const bad of ["javascript:1", "data:,x", "//x.example", "/x", "x", "", "https://", "https://u:p@x.example"]) assert.equal(safeUrl(bad), null, bad);
});

test("hostile texts cost no more than plain ones", () => {
  const n = 50_000;
  const repeat = (text: string): string => text.repeat(Math.floor(n / text.length));
  const texts = ["*", "**", "_", "`", "[", "]", "![", "[](", "[a](https://", "> ", "- ", "#", "# ", "|", "| -", "~~", "\\", "<", "**a ", "*a **b ",
    "[a](b", "a\n", "||\n", "|-\n", "``` ", "h", "https://", "mailto:", "1. ", "  - a\n", "> > > > > > a\n", "` `` ", "a | b\n--|--\n"].map(repeat);
  texts.push("# " + " ".repeat(n) + "x", "```" + " ".repeat(n) + "`", "-" + " ".repeat(n) + "x", "` " + "a".repeat(n) + "`", "|\n-" + " ".repeat(n) + "x", "[](" + " ".repeat(n));
  for (const text of texts) {
    const before = process.cpuUsage();
    parseBlocks(text, 9);
    const { user } = process.cpuUsage(before);
    assert.ok(user < 700_000, `${user / 1000} ms for ${JSON.stringify(text.slice(0, 12))}…`);
  }
});

test("any text parses, and keeps its words", () => {
  const random = chance(3);
  for (let round = 0; round < 1500; round++) {
    const text = randomText(random, 200);
    draw(text, 5);
    const letters = (s: string): number => [...s].filter((c) => c === "é" || c === "中").length;
    const hidden = /\]\(|```|~~~|\[/.test(text);
    if (!hidden) assert.equal(letters(plainText(text)), letters(text), JSON.stringify(text));
  }
});

test("blocks are what markdown says they are", () => {
  assert.deepEqual(blocks("# T\n\ntext\nmore").map((b) => b.kind), ["heading", "paragraph"]);
  assert.deepEqual(blocks("a\n- b\n- c\n\n1. d").map((b) => b.kind), ["paragraph", "list", "list"]);
  assert.deepEqual(blocks("> a\n> b"), [{ kind: "quote", blocks: [{ kind: "paragraph", children: [
    { kind: "text", text: "a" }, { kind: "break" }, { kind: "text", text: "b" }] }] }]);
  assert.deepEqual(blocks("```js\nlet a;\n\n# no\n```\nx")[0], { kind: "code", language: "js", text: "let a;\n\n# no" });
  assert.equal(blocks("---")[0]?.kind, "rule");
  const table = blocks("| a | b |\n|:-:|--:|\n| 1 | 2\\|3 |\n")[0];
  assert.ok(table?.kind === "table");
  assert.deepEqual(table.align, ["center", "right"]);
  assert.deepEqual(table.rows, [[[{ kind: "text", text: "1" }], [{ kind: "text", text: "2|3" }]]]);
});

test("lists nest, go on after blank lines and keep their number", () => {
  const list = blocks("3. a\n   - b\n   - c\n\n4. d\n\n   more d\n")[0];
  assert.ok(list?.kind === "list");
  assert.equal(list.start, 3);
  assert.deepEqual(list.items.map((item) => item.map((b) => b.kind)), [["paragraph", "list"], ["paragraph", "paragraph"]]);
});

test("inline marks", () => {
  const kinds = (text: string, citations = 0): string[] => parseInline(text, citations).map((node) => node.kind);
  assert.deepEqual(kinds("a **b** *c* ~~d~~ `e`"), ["text", "strong", "text", "emphasis", "text", "strike", "text", "code"]);
  assert.deepEqual(kinds("snake_case_name and 2 * 3 * 4"), ["text"]);
  assert.deepEqual(parseInline("***b***"), [{ kind: "strong", children: [{ kind: "emphasis", children: [{ kind: "text", text: "b" }] }] }]);
  assert.deepEqual(kinds("[1] [2] [3]", 2), ["citation", "text", "citation", "text"]);
  assert.deepEqual(parseInline("\\*no\\*"), [{ kind: "text", text: "*no*" }]);
  assert.deepEqual(parseInline("see https://a.example/b."), [{ kind: "text", text: "see " },
    { kind: "link", href: "https://a.example/b", children: [{ kind: "text", text: "https://a.example/b" }] }, { kind: "text", text: "." }]);
  assert.equal((parseInline("[w](https://x.example/a_(b))")[0] as { href: string }).href, "https://x.example/a_(b)");
});

test("a text that grows keeps the sources of its finished blocks", () => {
  const text = "First.\n\n- a\n- b\n\n```js\ncode\n```\n\nLast **bold** text.";
  const whole = parseBlocks(text).map(({ source }) => source);
  for (let end = 1; end <= text.length; end++) {
    const sources = parseBlocks(text.slice(0, end)).map(({ source }) => source);
    sources.slice(0, -1).forEach((source, i) => assert.equal(source.trim(), whole[i]?.trim()));
  }
});
