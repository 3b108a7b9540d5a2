/** One line above the composer: the state of the connection or of the conversation, when it matters. */
import type { Conversation } from "../conversation/state.ts";
import type { Strings } from "../strings/en.ts";
import { h, setText } from "./dom.ts";
import type { Ui } from "./ui.ts";

/** A connection that is back sooner is not worth a word. */
const PATIENCE_MS = 1200;

export class StatusLine {
  readonly element = h("div", { className: "status", role: "status" });
  private timer: ReturnType<typeof setTimeout> | undefined;
  private shown = "";

  constructor(private readonly ui: Ui) {}

  update(state: Conversation): void {
    const text = statusText(state, this.ui.language.strings);
    if (text === this.shown) return;
    this.shown = text;
    clearTimeout(this.timer);
    const draw = (): void => {
      this.element.classList.toggle("busy", state.link === "connecting");
      setText(this.element, text);
    };
    if (text && state.link === "connecting") this.timer = setTimeout(draw, PATIENCE_MS);
    else draw();
  }
}

export function statusText(state: Conversation, strings: Strings): string {
  switch (state.link) {
    case "offline": return strings.offline;
    case "connecting": return state.name ? strings.reconnecting : strings.connecting;
    case "refused": return strings[state.refusal as keyof Strings] ?? strings.problem;
    default:
  }
  if (state.session?.status === "waiting") return strings.waitingForPerson;
  return state.session?.status === "ended" ? strings.ended : "";
}
