/** Asks why, after a thumb: a line to fill in, or not. It is there only while it asks. */
import { h, textButton } from "./dom.ts";
import type { Ui } from "./ui.ts";

const MAX_COMMENT = 2000;

export class CommentForm {
  readonly element = h("div", {});
  private rating: 1 | -1 | null = null;

  /** `known`: what the visitor said earlier. */
  constructor(private readonly ui: Ui, private readonly messageId: string, private known: string) {}

  /** Asks about this rating; what is being written about it already stays. */
  offer(rating: 1 | -1): void {
    if (rating === this.rating && this.element.querySelector("form")) return;
    // What was said of the other rating was about that one.
    if (this.rating !== null && rating !== this.rating) this.known = "";
    this.rating = rating;
    const form = this.form(rating);
    this.element.replaceChildren(form);
    form.scrollIntoView({ block: "nearest" });
  }

  private form(rating: 1 | -1): HTMLFormElement {
    const { strings } = this.ui.language;
    const id = `fd-why-${this.messageId}`;
    const box = h("textarea", { id, rows: 2, maxLength: MAX_COMMENT, dir: "auto", value: this.known });
    const form = h("form", {
      className: "comment",
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        this.known = box.value.trim();
        if (this.known) this.ui.actions.rate(this.messageId, rating, this.known);
        this.thank();
      },
      onkeydown: (event: KeyboardEvent) => {
        if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) form.requestSubmit();
      },
    }, h("label", { htmlFor: id }, strings.why), box,
    h("div", { className: "choices" },
      textButton(strings.skip, null, () => this.thank()),
      h("button", { type: "submit", className: "text-button filled" }, strings.sendComment)));
    return form;
  }

  private thank(): void {
    const { thanks } = this.ui.language.strings;
    const hadFocus = this.element.contains((this.element.getRootNode() as ShadowRoot).activeElement);
    const said = h("p", { className: "thanks", tabIndex: -1 }, thanks);
    this.element.replaceChildren(said);
    if (hadFocus) said.focus({ preventScroll: true });
    this.ui.actions.announce(thanks);
  }
}
