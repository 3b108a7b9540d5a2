/** Markdown as it is read aloud: without its marks. */
import { parseBlocks } from "./blocks.ts";
import type { Block, Inline } from "./tree.ts";

export function plainText(markdown: string): string {
  return parseBlocks(markdown).map(({ block }) => ofBlock(block)).join("\n");
}

const ofInlines = (nodes: Inline[]): string => nodes.map((node) => {
  switch (node.kind) {
    case "text": case "code": return node.text;
    case "break": return "\n";
    case "citation": return "";
    default: return ofInlines(node.children);
  }
}).join("");

function ofBlock(block: Block): string {
  switch (block.kind) {
    case "paragraph": case "heading": return ofInlines(block.children);
    case "code": return block.text;
    case "quote": return block.blocks.map(ofBlock).join("\n");
    case "list": return block.items.map((item) => item.map(ofBlock).join("\n")).join("\n");
    case "table": return [block.header, ...block.rows].map((row) => row.map(ofInlines).join(", ")).join("\n");
    case "rule": return "";
  }
}
