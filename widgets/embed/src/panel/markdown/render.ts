/** Draws a markdown tree as DOM nodes. Text only ever enters as text nodes; nothing is parsed as HTML. */
import type { Block, Inline } from "./tree.ts";

/** What the tree's nodes need from where they are drawn. */
export interface Drawing {
  document: Document;
  copyLabel: string;
  copy(text: string, button: HTMLButtonElement): void;
  /** Says where reference [n] leads; null while the sources are not known yet. */
  citation: ((number: number) => HTMLElement) | null;
}

type Child = Node | string;

function element<K extends keyof HTMLElementTagNameMap>(on: Drawing, tag: K, ...children: Child[]): HTMLElementTagNameMap[K] {
  const made = on.document.createElement(tag);
  made.append(...children);
  return made;
}

export function drawBlock(block: Block, on: Drawing): HTMLElement {
  switch (block.kind) {
    case "paragraph": return element(on, "p", ...inlines(block.children, on));
    case "heading": return heading(block, on);
    case "code": return code(block, on);
    case "quote": return element(on, "blockquote", ...block.blocks.map((b) => drawBlock(b, on)));
    case "list": return list(block, on);
    case "table": return table(block, on);
    case "rule": return element(on, "hr");
  }
}

/**
 * The panel's own title is a level 2 heading. Models skip levels as they please, so all of an answer's are of
 * level 3, and only look different.
 */
function heading(block: Extract<Block, { kind: "heading" }>, on: Drawing): HTMLElement {
  const made = element(on, "h3", ...inlines(block.children, on));
  if (block.level > 2) made.className = "minor";
  return made;
}

function code(block: Extract<Block, { kind: "code" }>, on: Drawing): HTMLElement {
  const copy = element(on, "button", on.copyLabel);
  copy.type = "button";
  copy.className = "copy-code";
  copy.addEventListener("click", () => on.copy(block.text, copy));
  const bar = element(on, "div", element(on, "span", block.language || "text"), copy);
  bar.className = "code-bar";
  const pre = element(on, "pre", element(on, "code", block.text));
  pre.tabIndex = 0;
  pre.dir = "ltr";
  const box = element(on, "div", bar, pre);
  box.className = "code";
  return box;
}

function list(block: Extract<Block, { kind: "list" }>, on: Drawing): HTMLElement {
  const made = element(on, block.ordered ? "ol" : "ul");
  if (block.ordered && block.start !== 1) made.setAttribute("start", String(block.start));
  for (const item of block.items) {
    const [first, ...rest] = item;
    // The first paragraph of an item stands without a box of its own, as in a tight list.
    const head: Child[] = !first ? [] : first.kind === "paragraph" ? inlines(first.children, on) : [drawBlock(first, on)];
    made.append(element(on, "li", ...head, ...rest.map((b) => drawBlock(b, on))));
  }
  return made;
}

function table(block: Extract<Block, { kind: "table" }>, on: Drawing): HTMLElement {
  const row = (tag: "th" | "td", contents: Inline[][]): HTMLElement =>
    element(on, "tr", ...contents.map((content, i) => {
      const cell = element(on, tag, ...inlines(content, on));
      if (tag === "th") cell.setAttribute("scope", "col");
      if (block.align[i]) cell.className = `align-${block.align[i]}`;
      return cell;
    }));
  const grid = element(on, "table", element(on, "thead", row("th", block.header)),
                       element(on, "tbody", ...block.rows.map((r) => row("td", r))));
  const box = element(on, "div", grid);
  box.className = "table";
  box.tabIndex = 0;
  box.setAttribute("role", "group");
  return box;
}

const TAGS = { strong: "strong", emphasis: "em", strike: "s" } as const;

function inlines(nodes: Inline[], on: Drawing): Child[] {
  return nodes.map((node) => {
    switch (node.kind) {
      case "text": return node.text;
      case "code": return element(on, "code", node.text);
      case "break": return element(on, "br");
      case "link": return link(node.href, on, ...inlines(node.children, on));
      case "citation": return on.citation?.(node.number) ?? element(on, "sup", String(node.number));
      default: return element(on, TAGS[node.kind], ...inlines(node.children, on));
    }
  });
}

/** A link out of the widget: in a new tab, which learns nothing of this page and earns no rank from it. */
export function link(href: string, on: Pick<Drawing, "document">, ...children: Child[]): HTMLAnchorElement {
  const anchor = on.document.createElement("a");
  anchor.href = href;
  anchor.target = "_blank";
  anchor.rel = "noopener noreferrer nofollow";
  anchor.append(...children);
  return anchor;
}
