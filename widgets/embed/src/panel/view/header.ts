/** Who the visitor is talking to, how to get a person, and the way out. */
import type { Author } from "../../protocol.ts";
import type { Conversation } from "../conversation/state.ts";
import { safeUrl } from "../markdown/links.ts";
import { fill } from "../strings/language.ts";
import { h, icon, iconButton, setText } from "./dom.ts";
import type { Ui } from "./ui.ts";

export class Header {
  readonly element: HTMLElement;
  readonly title = h("h2", { id: "fd-title", className: "title" });
  private readonly subtitle = h("p", { className: "subtitle" });
  private readonly avatar = h("span", { className: "avatar", "aria-hidden": "true" }, icon("spark"));
  private readonly person: HTMLButtonElement;
  private pictured: Author | null = null;

  constructor(private readonly ui: Ui, private readonly name: string) {
    const { strings } = ui.language;
    this.person = iconButton("round", "person", strings.talkToPerson, ui.actions.askForPerson);
    this.element = h("div", { className: "header" }, this.avatar,
      h("div", { className: "names" }, this.title, this.subtitle),
      this.person,
      iconButton("round", "close", strings.close, ui.actions.close));
  }

  update(state: Conversation): void {
    const { strings } = this.ui.language;
    setText(this.title, state.name || this.name || strings.title);
    const status = state.session?.status ?? "ai";
    const agent = state.agent?.name ?? strings.aPerson;
    setText(this.subtitle, status === "human" ? fill(strings.withPerson, { name: agent })
      : state.personality && state.personality !== state.name ? `${state.personality} · ${strings.assistant}` : strings.answersWithSources);
    this.person.hidden = status !== "ai" || state.wantsPerson || state.link === "refused";
    this.picture(status === "human" ? state.agent : null);
  }

  /** The person's face or first letter, or the assistant's mark. */
  private picture(person: Author | null): void {
    if (person === this.pictured) return;
    this.pictured = person;
    const letter = [...(person?.name ?? "")][0] ?? "";
    const url = person?.avatar_url ? safeUrl(person.avatar_url) : null;
    this.avatar.replaceChildren(url ? h("img", {
      src: url, alt: "", referrerPolicy: "no-referrer",
      // The page's policy may allow no foreign pictures.
      onerror: () => this.avatar.replaceChildren(letter),
    }) : letter || icon("spark"));
  }
}
