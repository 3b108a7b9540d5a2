/** An answer: its text, where it comes from, and what can be done with it. */
import type { MessageObject } from "../../protocol.ts";
import { safeUrl } from "../markdown/links.ts";
import { AnswerText } from "./answer-text.ts";
import { CommentForm } from "./comment-form.ts";
import { copyText } from "./copy.ts";
import { time } from "./dates.ts";
import { h, icon, iconButton, textButton } from "./dom.ts";
import type { RowView } from "./messages.ts";
import type { AnswerRow } from "./rows.ts";
import { sourcesOf, type Sources } from "./sources.ts";
import type { Ui } from "./ui.ts";

const THUMBS = [["up", "helpful", 1], ["down", "notHelpful", -1]] as const;

export class AnswerView implements RowView {
  private readonly text: AnswerText;
  private readonly author = h("div", { className: "author", hidden: true });
  private readonly under = h("div", { className: "under" });
  private readonly thumbs: HTMLButtonElement[] = [];
  private comment: CommentForm | null = null;
  private sources: Sources | null = null;
  private drawn: AnswerRow | null = null;
  readonly element: HTMLElement;

  constructor(private readonly ui: Ui) {
    this.text = new AnswerText(ui);
    this.element = h("div", { className: "row theirs" },
      this.author, h("div", { className: "bubble" }, this.text.element), this.under);
  }

  update(row: AnswerRow): void {
    const before = this.drawn;
    this.drawn = row;
    const { message } = row;
    if (before?.message !== message || before?.text !== row.text) {
      this.text.update(row.text, message?.citations ?? null, (n) => this.sources?.show(n));
    }
    if (before?.message !== message || before?.askAgain !== row.askAgain) this.decorate(row);
    THUMBS.forEach(([, , rating], i) => this.thumbs[i]?.setAttribute("aria-pressed", String(row.rating === rating)));
  }

  private decorate({ message, askAgain, comment }: AnswerRow): void {
    const { strings } = this.ui.language;
    const { actions } = this.ui;
    this.under.replaceChildren();
    if (!message) return;
    if (message.author) this.signed(message.author.name, message.author.avatar_url);
    this.sources = message.citations.length ? sourcesOf(message.citations, this.ui) : null;
    const person = !message.author && textButton(strings.talkToPerson, "person", actions.askForPerson, "ask-person");
    const hint = (said: string, ...choices: (Node | null | false)[]): HTMLElement =>
      h("div", { className: "hint" }, icon("alert"), h("span", {}, said), ...choices);
    this.comment = new CommentForm(this.ui, message.id, comment);
    this.under.append(...[
      this.sources?.element,
      message.event === "abstained" && hint(strings.abstained, person),
      message.status !== "complete" && hint(message.status === "failed" ? strings.failed : strings.stopped,
        askAgain ? textButton(strings.askAgain, "again", () => actions.send(askAgain)) : null,
        message.status === "failed" && person),
      this.tools(message),
      this.comment.element,
    ].filter((part): part is HTMLElement => Boolean(part)));
  }

  private signed(name: string, avatar: string | null): void {
    const url = avatar ? safeUrl(avatar) : null;
    const picture = url && h("img", { src: url, alt: "", width: 20, height: 20, referrerPolicy: "no-referrer" });
    // A page whose policy allows no foreign pictures shows the name alone.
    if (picture) picture.addEventListener("error", () => picture.remove());
    this.author.replaceChildren(...(picture ? [picture] : []), name);
    this.author.hidden = false;
  }

  private tools(message: MessageObject): HTMLElement {
    const { strings } = this.ui.language;
    const copy = iconButton("tool", "copy", strings.copyAnswer, () => void copyText(message.content, this.ui).then((done) => {
      if (done) copy.replaceChildren(icon("check"));
      setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
    }));
    this.thumbs.splice(0, 2, ...THUMBS.map(([name, label, rating]) => iconButton("tool", name, strings[label], () => {
      this.ui.actions.rate(message.id, rating);
      this.comment?.offer(rating);
    })));
    return h("div", { className: "meta" }, time(message.timestamp, this.ui), copy, ...this.thumbs);
  }
}
