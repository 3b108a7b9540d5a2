/** Block markdown, line by line. A text that is still growing parses to what it says so far. */
import { parseInline } from "./inline.ts";
import type { Align, Block } from "./tree.ts";

const MAX_DEPTH = 5;
/** A longer text than any answer is shown as it is. */
export const MAX_TEXT = 60_000;

// No pattern may backtrack over a stretch that it does not bound: answers can carry hostile text.
const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})\s(.*)$/;
const RULE = /^ {0,3}(?:-{3,}|\*{3,}|_{3,}|- - -|\* \* \*)\s*$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+•]|\d{1,9}[.)])(?: +|$)/;
const TABLE_RULE = /^ *\|? *:?-+:? *(?:\| *:?-+:? *){0,30}\|? *$/;

/** One top-level block with the source it came from, by which a view knows that it has not changed. */
export interface SourcedBlock {
  source: string;
  block: Block;
}

export function parseBlocks(text: string, citations = 0): SourcedBlock[] {
  if (text.length > MAX_TEXT) {
    return [{ source: text, block: { kind: "paragraph", children: [{ kind: "text", text }] } }];
  }
  return new BlockParser(text.replace(/\r\n?/g, "\n").replaceAll("\t", "    ").split("\n"), 0, citations).parse();
}

const indentOf = (line: string): number => line.length - line.trimStart().length;
const isBlank = (line: string | undefined): boolean => line === undefined || line.trim() === "";

function cells(row: string): string[] {
  return row.trim().replace(/^\||(?<!\\)\|$/g, "").split(/(?<!\\)\|/).slice(0, 30)
    .map((cell) => cell.trim().replaceAll("\\|", "|"));
}

/** A heading's text without the marks that may close it. */
const headingText = (text: string): string => text.trim().replace(/ #{1,6}$/, "");

function alignOf(cell: string): Align {
  const left = cell.startsWith(":");
  const right = cell.endsWith(":");
  return right ? (left ? "center" : "right") : left ? "left" : null;
}

class BlockParser {
  private n = 0;

  constructor(private readonly lines: string[], private readonly depth: number, private readonly citations: number) {}

  parse(): SourcedBlock[] {
    const blocks: SourcedBlock[] = [];
    while (this.n < this.lines.length) {
      if (isBlank(this.lines[this.n])) {
        this.n++;
        continue;
      }
      const from = this.n;
      const block = this.block(this.lines[this.n] as string);
      blocks.push({ block, source: this.lines.slice(from, this.n).join("\n") });
    }
    return blocks;
  }

  private block(line: string): Block {
    const fence = FENCE.exec(line);
    if (fence) {
      return this.fence(fence[1] as string, (fence[2] as string).trim().split(/\s/)[0]?.slice(0, 30) ?? "", indentOf(line));
    }
    const heading = HEADING.exec(line);
    if (heading) {
      this.n++;
      return { kind: "heading", level: (heading[1] as string).length, children: this.inline(headingText(heading[2] as string)) };
    }
    if (RULE.test(line)) {
      this.n++;
      return { kind: "rule" };
    }
    if (this.depth < MAX_DEPTH) {
      if (QUOTE.test(line)) return this.quote();
      if (ITEM.test(line)) return this.list(line);
    }
    if (this.startsTable(this.n)) return this.table();
    return this.paragraph();
  }

  private inline(text: string): ReturnType<typeof parseInline> {
    return parseInline(text, this.citations);
  }

  private nested(lines: string[]): Block[] {
    return new BlockParser(lines, this.depth + 1, this.citations).parse().map(({ block }) => block);
  }

  private fence(marks: string, language: string, indent: number): Block {
    const text: string[] = [];
    for (this.n++; this.n < this.lines.length; this.n++) {
      const line = this.lines[this.n] as string;
      const trimmed = line.trim();
      if (trimmed.startsWith(marks) && trimmed.replaceAll(marks[0] as string, "") === "") {
        this.n++;
        break;
      }
      text.push(line.slice(Math.min(indent, indentOf(line))));
    }
    return { kind: "code", language, text: text.join("\n") };
  }

  private quote(): Block {
    const inside: string[] = [];
    for (; this.n < this.lines.length; this.n++) {
      const line = this.lines[this.n] as string;
      if (!QUOTE.test(line)) break;
      inside.push(line.replace(QUOTE, ""));
    }
    return { kind: "quote", blocks: this.nested(inside) };
  }

  private list(first: string): Block {
    const ordered = /\d/.test((ITEM.exec(first) as RegExpExecArray)[2] as string);
    const start = ordered ? parseInt((ITEM.exec(first) as RegExpExecArray)[2] as string, 10) : 1;
    const indent = indentOf(first);
    const items: string[][] = [];
    let content = 0;
    for (; this.n < this.lines.length; this.n++) {
      const line = this.lines[this.n] as string;
      const item = ITEM.exec(line);
      if (isBlank(line)) {
        const next = this.lines[this.n + 1];
        if (isBlank(next) || !(indentOf(next as string) > indent || this.continues(next as string, ordered, indent))) break;
        items.at(-1)?.push("");
      } else if (item && (item[1] as string).length < indent + 2) {
        if (/\d/.test(item[2] as string) !== ordered || RULE.test(line)) break;
        content = item[0].length;
        items.push([line.slice(content)]);
      } else if (indentOf(line) > indent) items.at(-1)?.push(line.slice(Math.min(content, indentOf(line))));
      else break;
    }
    return { kind: "list", ordered, start, items: items.map((lines) => this.nested(lines)) };
  }

  private continues(line: string, ordered: boolean, indent: number): boolean {
    const item = ITEM.exec(line);
    return item !== null && (item[1] as string).length < indent + 2 && /\d/.test(item[2] as string) === ordered;
  }

  private startsTable(n: number): boolean {
    const [head, rule] = [this.lines[n], this.lines[n + 1]];
    return head !== undefined && rule !== undefined && head.includes("|") && rule.includes("-")
      && rule.length < 1000 && TABLE_RULE.test(rule) && cells(head).length === cells(rule).length;
  }

  private table(): Block {
    const header = cells(this.lines[this.n] as string).map((cell) => this.inline(cell));
    const align = cells(this.lines[this.n + 1] as string).map(alignOf);
    const rows = [];
    for (this.n += 2; this.n < this.lines.length; this.n++) {
      const line = this.lines[this.n] as string;
      if (isBlank(line) || !line.includes("|")) break;
      const row = cells(line).map((cell) => this.inline(cell));
      rows.push(header.map((_, i) => row[i] ?? []));
    }
    return { kind: "table", align, header, rows };
  }

  private paragraph(): Block {
    const text: string[] = [];
    for (; this.n < this.lines.length; this.n++) {
      const line = this.lines[this.n] as string;
      if (text.length && (isBlank(line) || this.interrupts(line))) break;
      text.push(line.trim());
    }
    return { kind: "paragraph", children: this.inline(text.join("\n")) };
  }

  private interrupts(line: string): boolean {
    if (FENCE.test(line) || HEADING.test(line) || RULE.test(line) || this.startsTable(this.n)) return true;
    return this.depth < MAX_DEPTH && (QUOTE.test(line) || ITEM.test(line));
  }
}
