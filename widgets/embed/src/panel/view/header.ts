/** Who the visitor is talking to, and the way out. */
import type { Conversation } from "../conversation/state.ts";
import { fill } from "../strings/language.ts";
import { h, icon, setText } from "./dom.ts";
import type { Ui } from "./ui.ts";

export class Header {
  readonly element: HTMLElement;
  readonly title = h("h2", { id: "fd-title", className: "title" });
  private readonly subtitle = h("p", { className: "subtitle" });
  private readonly person: HTMLButtonElement | null;

  constructor(private readonly ui: Ui, private readonly name: string) {
    const { strings } = ui.language;
    const button = (label: string, name: "close" | "person", act: () => void): HTMLButtonElement =>
      h("button", { type: "button", className: "round", title: label, "aria-label": label, onclick: act }, icon(name));
    this.person = ui.features.has("handoff") ? button(strings.talkToPerson, "person", ui.actions.askForPerson) : null;
    this.element = h("div", { className: "header" },
      h("span", { className: "avatar", "aria-hidden": "true" }, icon("spark")),
      h("div", { className: "names" }, this.title, this.subtitle),
      this.person,
      button(strings.close, "close", ui.actions.close));
  }

  update(state: Conversation): void {
    const { strings } = this.ui.language;
    setText(this.title, state.name || this.name || strings.title);
    const status = state.session?.status ?? "ai";
    const agent = state.agent?.name ?? strings.aPerson;
    setText(this.subtitle, status === "human" ? fill(strings.withPerson, { name: agent })
      : state.personality && state.personality !== state.name ? `${state.personality} · ${strings.assistant}` : strings.answersWithSources);
    if (this.person) this.person.hidden = status !== "ai" || !state.session;
  }
}
