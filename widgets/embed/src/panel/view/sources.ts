/** Where an answer comes from: numbered titles that lead to the document, each with its quote to unfold. */
import type { Citation } from "../../protocol.ts";
import { safeUrl } from "../markdown/links.ts";
import { link } from "../markdown/render.ts";
import { fill } from "../strings/language.ts";
import { h, icon } from "./dom.ts";
import type { Ui } from "./ui.ts";

export interface Sources {
  element: HTMLElement;
  /** Unfolds the source of that number and moves the focus to it. */
  show(number: number): void;
}

export function sourcesOf(citations: readonly Citation[], ui: Ui): Sources {
  const { strings } = ui.language;
  const entries = citations.map((citation, index) => source(citation, index + 1, ui));
  return {
    element: h("div", { className: "sources" },
      h("div", { className: "sources-title", "aria-hidden": "true" }, strings.sources),
      h("ol", { "aria-label": strings.sources }, ...entries.map((entry) => entry.element))),
    show: (number) => entries[number - 1]?.show(),
  };
}

function source(citation: Citation, number: number, ui: Ui): { element: HTMLElement; show(): void } {
  const { strings } = ui.language;
  const href = citation.url ? safeUrl(citation.url) : null;
  const title = h("span", { className: "source-title", dir: "auto" }, citation.title || strings.source.replace("{n}", String(number)));
  const name = href ? link(href, { document }, title, icon("out")) : h("span", { className: "source-name" }, title);
  if (href) name.append(h("span", { className: "visually-hidden" }, ` (${strings.opensInNewTab})`));
  const quote = h("blockquote", { className: "quote", dir: "auto", hidden: true }, citation.quote);
  const unfold = h("button", {
    type: "button", className: "unfold", title: citation.quote, "aria-expanded": "false",
    "aria-label": fill(strings.quote, { title: citation.title }),
    onclick: () => toggle(quote.hidden),
  }, icon("chevron"));
  function toggle(open: boolean): void {
    quote.hidden = !open;
    unfold.setAttribute("aria-expanded", String(open));
  }
  const element = h("li", { className: "source" },
    h("div", { className: "source-head" }, h("span", { className: "source-number", "aria-hidden": "true" }, String(number)),
      name, citation.quote ? unfold : null),
    quote);
  return {
    element,
    show() {
      toggle(true);
      element.scrollIntoView({ block: "nearest" });
      (citation.quote ? unfold : name).focus({ preventScroll: true });
    },
  };
}
