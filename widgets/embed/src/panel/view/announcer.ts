/** Tells screen readers, politely, what has come: whole answers, never parts of one. */
import { h } from "./dom.ts";

const KEEP_MS = 10_000;

export class Announcer {
  readonly element = h("div", { className: "visually-hidden", "aria-live": "polite", "aria-atomic": "false" });

  say(text: string): void {
    const line = h("p", {}, text);
    this.element.append(line);
    setTimeout(() => line.remove(), KEEP_MS);
  }
}
