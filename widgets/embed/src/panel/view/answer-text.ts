/** The text of an answer. While it grows, blocks that did not change keep their nodes, and so any selection. */
import type { Citation } from "../../protocol.ts";
import { parseBlocks } from "../markdown/blocks.ts";
import { safeUrl } from "../markdown/links.ts";
import { drawBlock, link } from "../markdown/render.ts";
import { fill } from "../strings/language.ts";
import { copyText } from "./copy.ts";
import { h } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** Any reference counts while the sources of a running answer are not known. */
const ANY = 99;

export class AnswerText {
  readonly element = h("div", { className: "prose", dir: "auto" });
  private drawn: string[] = [];

  constructor(private readonly ui: Ui) {}

  /** `citations`: null while the answer is being written, and they are not known. */
  update(text: string, citations: readonly Citation[] | null, showSource: (number: number) => void): void {
    this.element.classList.toggle("writing", citations === null);
    const blocks = parseBlocks(text, citations?.length ?? ANY);
    // A block without a reference looks the same before and after.
    const keys = blocks.map(({ source }) => `${citations && source.includes("[") ? citations.length : "w"}\n${source}`);
    let same = 0;
    while (same < keys.length && keys[same] === this.drawn[same]) same++;
    while (this.element.childNodes.length > same) this.element.lastChild?.remove();
    const { strings } = this.ui.language;
    const citation = citations && ((number: number) => this.reference(number, citations[number - 1] as Citation, showSource));
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

  /** A numbered link to the document; where it has no address, a way to the passage below the answer. */
  private reference(number: number, cited: Citation, showSource: (number: number) => void): HTMLElement {
    const href = cited.url ? safeUrl(cited.url) : null;
    const name = fill(this.ui.language.strings.source, { n: number });
    const made = href ? link(href, { document }, String(number))
      : h("button", { type: "button", onclick: () => showSource(number) }, String(number));
    made.className = "cite";
    made.setAttribute("aria-label", href ? `${name} (${this.ui.language.strings.opensInNewTab})` : name);
    return this.ui.quotes.attach(made, cited);
  }
}
