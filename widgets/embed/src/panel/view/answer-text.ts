/** The text of an answer. While it grows, blocks that did not change keep their nodes, and so any selection. */
import { parseBlocks } from "../markdown/blocks.ts";
import { drawBlock } from "../markdown/render.ts";
import { copyText } from "./copy.ts";
import { h } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** Any reference counts while the sources of a running answer are not known. */
const ANY = 99;

export class AnswerText {
  readonly element = h("div", { className: "prose", dir: "auto" });
  private drawn: string[] = [];

  constructor(private readonly ui: Ui) {}

  /** `sources`: how many the answer has, null while it is being written. */
  update(text: string, sources: number | null, showSource: (number: number) => void): void {
    this.element.classList.toggle("writing", sources === null);
    const blocks = parseBlocks(text, sources ?? ANY);
    const keys = blocks.map(({ source }) => `${sources === null ? "w" : sources}\n${source}`);
    let same = 0;
    while (same < keys.length && keys[same] === this.drawn[same]) same++;
    while (this.element.childNodes.length > same) this.element.lastChild?.remove();
    const { strings } = this.ui.language;
    const citation = sources === null ? null : (number: number) => h("button", {
      type: "button", className: "cite", textContent: String(number), onclick: () => showSource(number),
      "aria-label": strings.source.replace("{n}", String(number)),
    });
    for (const { block } of blocks.slice(same)) {
      this.element.append(drawBlock(block, {
        document, citation, copyLabel: strings.copy,
        copy: (code, button) => void copyText(code, this.ui).then((done) => {
          if (!done) return;
          button.textContent = strings.copied;
          setTimeout(() => { button.textContent = strings.copy; }, 1500);
        }),
      }));
    }
    this.drawn = keys;
  }
}
