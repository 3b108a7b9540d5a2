/** One line above the composer: the state of the connection or of the conversation, when it matters. */
import type { Conversation } from "../conversation/state.ts";
import type { Strings } from "../strings/en.ts";
import { h, textButton } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** A connection that is back sooner is not worth a word. */
const PATIENCE_MS = 1200;

export class StatusLine {
  readonly element = h("div", { className: "status", role: "status", hidden: true });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = "";
  private isEnded = false;

  constructor(private readonly ui: Ui) {}

  update(state: Conversation): void {
    const { strings } = this.ui.language;
    const text = statusText(state, strings);
    const isEnded = !text && state.session?.status === "ended";
    if (text === this.shown && isEnded === this.isEnded) return;
    this.shown = text;
    this.isEnded = isEnded;
    clearTimeout(this.timer);
    const draw = (): void => {
      this.element.classList.toggle("busy", state.link === "connecting");
      this.element.classList.toggle("waits", text === strings.waitingForPerson);
      this.element.replaceChildren(isEnded ? textButton(strings.newConversation, "again", this.ui.actions.renew) : text);
      this.element.hidden = !text && !isEnded;
    };
    if (text && state.link === "connecting") this.timer = setTimeout(draw, PATIENCE_MS);
    else draw();
  }
}

export function statusText(state: Conversation, strings: Strings): string {
  switch (state.link) {
    case "offline": return state.settings.offlineMessage || strings.offline;
    case "connecting": return state.name ? strings.reconnecting : strings.connecting;
    case "refused": return strings[state.refusal as keyof Strings] ?? strings.problem;
    default:
  }
  const status = state.session?.status;
  if (status === "waiting") return strings.waitingForPerson;
  return state.wantsPerson ? strings.writeFirst : "";
}
