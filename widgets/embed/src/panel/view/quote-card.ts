/**
 * The passage behind a reference, shown beside it while one points at it or has the focus on it (WCAG 2.2, 1.4.13:
 * it can be pointed at itself, stays until one leaves, and Escape puts it away).
 */
import type { Citation } from "../../protocol.ts";
import { h } from "./dom.ts";

const LEAVE_MS = 200;
const GAP = 6;

export class QuoteCard {
  readonly element = h("div", { id: "fd-quote", className: "quote-card", role: "tooltip", hidden: true });
  private anchor: HTMLElement | null = null;
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor() {
    this.element.addEventListener("pointerenter", () => clearTimeout(this.timer));
    this.element.addEventListener("pointerleave", () => this.leave());
  }

  /** Has the card come and go with the reference. */
  attach(anchor: HTMLElement, citation: Citation): HTMLElement {
    if (!citation.quote) return anchor;
    const show = (): void => this.show(anchor, citation);
    const leave = (): void => this.leave();
    // A finger that taps wants the document, or the source below; it does not hover.
    anchor.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") show(); });
    anchor.addEventListener("pointerleave", leave);
    anchor.addEventListener("focus", () => { if (anchor.matches(":focus-visible")) show(); });
    anchor.addEventListener("blur", leave);
    return anchor;
  }

  /** False where there was none to hide. */
  hide(): boolean {
    clearTimeout(this.timer);
    if (!this.anchor) return false;
    this.anchor.removeAttribute("aria-describedby");
    this.anchor = null;
    this.element.hidden = true;
    return true;
  }

  private show(anchor: HTMLElement, { title, quote }: Citation): void {
    this.hide();
    this.anchor = anchor;
    this.element.replaceChildren(h("b", { dir: "auto" }, title), h("span", { dir: "auto" }, quote));
    this.element.hidden = false;
    anchor.setAttribute("aria-describedby", this.element.id);
    const around = (this.element.parentElement as HTMLElement).getBoundingClientRect();
    const at = anchor.getBoundingClientRect();
    const { offsetHeight: height, offsetWidth: width } = this.element;
    const above = at.top - around.top - height - GAP;
    const top = above >= 0 ? above : at.bottom - around.top + GAP;
    const left = Math.min(Math.max(8, at.left - around.left + at.width / 2 - width / 2), around.width - width - 8);
    this.element.style.top = `${top}px`;
    this.element.style.left = `${left}px`;
  }

  private leave(): void {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.hide(), LEAVE_MS);
  }
}
