/** The small print, and the end of the conversation. */
import type { Conversation } from "../conversation/state.ts";
import { safeUrl } from "../markdown/links.ts";
import { link } from "../markdown/render.ts";
import { h, setText } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** How long "End it now?" waits for the second click. */
const SURE_MS = 5_000;

export class Footer {
  readonly element: HTMLElement;
  private readonly privacy = h("span", { className: "privacy" });
  private readonly end: HTMLButtonElement;
  private privacyUrl: string | undefined;
  private timer: ReturnType<typeof setTimeout> | undefined;
  private isAsking = false;

  constructor(private readonly ui: Ui) {
    const { strings } = ui.language;
    this.end = h("button", { type: "button", className: "end", hidden: true, onclick: () => this.ask() }, strings.end);
    this.element = h("div", { className: "footer" }, this.end, this.privacy,
      h("span", {}, `${strings.poweredBy} `, h("b", {}, "Frontdesk")));
  }

  update({ settings, session, messages, ready }: Conversation): void {
    this.end.hidden = !ready || !session || session.status === "ended" || !messages.length;
    if (settings.privacyUrl === this.privacyUrl) return;
    this.privacyUrl = settings.privacyUrl;
    const href = settings.privacyUrl ? safeUrl(settings.privacyUrl) : null;
    this.privacy.replaceChildren(...(href ? [link(href, { document }, this.ui.language.strings.privacy)] : []));
  }

  /** A click by mistake ends nothing: the second one does. */
  private ask(): void {
    const { strings } = this.ui.language;
    clearTimeout(this.timer);
    if (this.isAsking) this.ui.actions.end();
    this.isAsking = !this.isAsking;
    setText(this.end, this.isAsking ? strings.endSure : strings.end);
    if (!this.isAsking) return;
    this.timer = setTimeout(() => {
      this.isAsking = false;
      setText(this.end, strings.end);
    }, SURE_MS);
  }
}
