/**
 * Inline markdown. Linear in the text: each search that can fail either looks at a bounded stretch or
 * remembers that it failed, and nesting is bounded, so that a hostile text costs no more than a plain one.
 */
import { safeUrl } from "./links.ts";
import type { Inline } from "./tree.ts";

const MAX_DEPTH = 6;
const CLOSER_TRIES = 8;
const PUNCTUATION = /[!-/:-@[-`{-~]/;
const TARGET = /\(\s{0,9}<?([^\s()<>]{1,1000}(?:\([^\s()<>]{0,200}\)[^\s()<>]{0,200})?)>?(?:\s{1,9}"[^"]{0,300}")?\s{0,9}\)/y;
const AUTOLINK = /(?:https?:\/\/|mailto:)[^\s<>"`*]{1,1000}/iy;
const CITATION = /\[(\d{1,2})\](?!\()/y;
const WORD = /[\p{L}\p{N}_]/u;

const at = (pattern: RegExp, text: string, i: number): RegExpExecArray | null => {
  pattern.lastIndex = i;
  return pattern.exec(text);
};

/** Where each `[` closes, found in one pass. */
function bracketPairs(text: string): Map<number, number> {
  const pairs = new Map<number, number>();
  const open: number[] = [];
  for (let i = 0; i < text.length; i++) {
    if (text[i] === "\\") i++;
    else if (text[i] === "[") open.push(i);
    else if (text[i] === "]" && open.length) pairs.set(open.pop() as number, i);
  }
  return pairs;
}

class InlineParser {
  private readonly out: Inline[] = [];
  private plain = "";
  private i = 0;
  /** Closers that are known not to come any more. */
  private readonly dead = new Set<string>();
  private readonly pairs: Map<number, number>;

  constructor(private readonly text: string, private readonly citations: number, private readonly depth = 0,
              private readonly inLink = false) {
    this.pairs = text.includes("[") ? bracketPairs(text) : new Map<number, number>();
  }

  parse(): Inline[] {
    while (this.i < this.text.length) if (!this.special()) this.plain += this.text[this.i++];
    this.flush();
    return this.out;
  }

  private special(): boolean {
    switch (this.text[this.i]) {
      case "\\": return this.escape();
      case "\n": return this.add({ kind: "break" }, this.i + 1);
      case "`": return this.code();
      case "*": case "_": case "~": return this.emphasis();
      case "!": return this.text[this.i + 1] === "[" && this.link(this.i + 1);
      case "[": return this.citation() || this.link(this.i);
      case "<": return this.angle();
      case "h": case "H": case "m": case "M": return this.autolink();
      default: return false;
    }
  }

  private flush(): void {
    if (this.plain) this.out.push({ kind: "text", text: this.plain });
    this.plain = "";
  }

  private add(node: Inline, next: number): true {
    if (node.kind === "break") this.plain = this.plain.replace(/ {1,8}$/, "");
    this.flush();
    this.out.push(node);
    this.i = next;
    return true;
  }

  private inner(text: string, inLink = this.inLink): Inline[] {
    if (this.depth >= MAX_DEPTH) return [{ kind: "text", text }];
    return new InlineParser(text, this.citations, this.depth + 1, inLink).parse();
  }

  private escape(): boolean {
    const next = this.text[this.i + 1];
    if (next === undefined || !PUNCTUATION.test(next)) return false;
    this.plain += next;
    this.i += 2;
    return true;
  }

  private code(): boolean {
    let end = this.i;
    while (this.text[end] === "`") end++;
    const ticks = this.text.slice(this.i, end);
    const close = this.dead.has(ticks) ? -1 : this.closingTicks(ticks, end);
    if (close < 0) {
      this.dead.add(ticks);
      this.plain += ticks;
      this.i = end;
      return true;
    }
    const body = this.text.slice(end, close).replaceAll("\n", " ");
    const padded = body.startsWith(" ") && body.endsWith(" ") && body.trim() !== "";
    return this.add({ kind: "code", text: padded ? body.slice(1, -1) : body }, close + ticks.length);
  }

  private closingTicks(ticks: string, from: number): number {
    for (let i = this.text.indexOf("`", from); i >= 0; i = this.text.indexOf("`", i)) {
      let end = i;
      while (this.text[end] === "`") end++;
      if (end - i === ticks.length) return i;
      i = end;
    }
    return -1;
  }

  private emphasis(): boolean {
    const mark = this.text[this.i] as string;
    const double = this.text[this.i + 1] === mark;
    if (mark === "~" && !double) return false;
    const run = double ? mark + mark : mark;
    const start = this.i + run.length;
    const close = this.opens(mark, start) ? this.closing(run, start) : -1;
    if (close < 0) {
      this.plain += run;
      this.i = start;
      return true;
    }
    const kind = mark === "~" ? "strike" : double ? "strong" : "emphasis";
    return this.add({ kind, children: this.inner(this.text.slice(start, close)) }, close + run.length);
  }

  private opens(mark: string, start: number): boolean {
    const next = this.text[start];
    // snake_case is no emphasis.
    if (mark === "_" && this.i > 0 && WORD.test(this.text[this.i - 1] as string)) return false;
    return next !== undefined && !/\s/.test(next);
  }

  private closing(run: string, start: number): number {
    if (this.dead.has(run)) return -1;
    const mark = run[0] as string;
    let i = this.text.indexOf(run, start + 1);
    for (let tries = 0; i >= 0 && tries < CLOSER_TRIES; tries++) {
      let end = i;
      while (this.text[end] === mark && end - i < 4) end++;
      const size = end - i;
      const fits = run.length === 2 || size !== 2;
      const word = mark === "_" && WORD.test(this.text[end] ?? "");
      // Of `***` the inner mark closes first.
      if (fits && !word && !/\s/.test(this.text[i - 1] as string)) return end - run.length;
      i = this.text.indexOf(run, end);
    }
    if (i < 0) this.dead.add(run);
    return -1;
  }

  private citation(): boolean {
    const found = at(CITATION, this.text, this.i);
    const number = Number(found?.[1]);
    if (!found || number < 1 || number > this.citations) return false;
    return this.add({ kind: "citation", number }, this.i + found[0].length);
  }

  /**
   * A link; an image becomes one too, so that reading an answer loads nothing from elsewhere. Where the
   * address is not allowed, or inside another link, the label stays.
   */
  private link(bracket: number): boolean {
    const close = this.pairs.get(bracket);
    const target = close === undefined ? null : at(TARGET, this.text, close + 1);
    const href = target && safeUrl(target[1] as string);
    if (!target || close === undefined) return false;
    const label = this.text.slice(bracket + 1, close);
    const end = close + 1 + target[0].length;
    if (href && !this.inLink) {
      return this.add({ kind: "link", href, children: this.inner(label || href, true) }, end);
    }
    this.flush();
    this.out.push(...this.inner(label));
    this.i = end;
    return true;
  }

  private angle(): boolean {
    if (this.inLink) return false;
    const found = at(AUTOLINK, this.text, this.i + 1);
    const end = this.i + 1 + (found?.[0].length ?? 0);
    const href = found && this.text[end] === ">" ? safeUrl(found[0]) : null;
    return href ? this.add({ kind: "link", href, children: [{ kind: "text", text: found![0] }] }, end + 1) : false;
  }

  private autolink(): boolean {
    if (this.inLink || (this.i > 0 && WORD.test(this.text[this.i - 1] as string))) return false;
    const found = at(AUTOLINK, this.text, this.i);
    if (!found) return false;
    let raw = found[0].replace(/[.,;:!?'"\]}]{1,20}$/, "");
    if (raw.endsWith(")") && !raw.includes("(")) raw = raw.slice(0, -1);
    const href = safeUrl(raw);
    if (!href) return false;
    const shown = raw.replace(/^mailto:/i, "");
    return this.add({ kind: "link", href, children: [{ kind: "text", text: shown }] }, this.i + raw.length);
  }
}

/** `citations`: how many sources the answer has; [1] up to that number is a reference to one. */
export function parseInline(text: string, citations = 0): Inline[] {
  return new InlineParser(text, citations).parse();
}
