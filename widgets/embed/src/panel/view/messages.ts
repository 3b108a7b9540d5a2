/** How one row of the list looks. A row that goes on under the same key keeps its view. */
import { safeUrl } from "../markdown/links.ts";
import { fill } from "../strings/language.ts";
import { AnswerText } from "./answer-text.ts";
import { copyText } from "./copy.ts";
import { clockTime, dayName } from "./dates.ts";
import { h, icon, type IconName } from "./dom.ts";
import type { AnswerRow, Row, UserRow } from "./rows.ts";
import { sourcesOf, type Sources } from "./sources.ts";
import type { Ui } from "./ui.ts";

export interface RowView {
  element: HTMLElement;
  update(row: Row): void;
}

export function viewOf(row: Row, ui: Ui): RowView {
  switch (row.kind) {
    case "answer": return new AnswerView(ui);
    case "user": return new UserView(ui);
    default: return new PlainView(row, ui);
  }
}

const time = (timestamp: string, ui: Ui): HTMLElement =>
  h("time", { dateTime: timestamp }, clockTime(timestamp, ui.language.locale));

function textButton(label: string, name: IconName, act: () => void): HTMLButtonElement {
  return h("button", { type: "button", className: "text-button", onclick: act }, icon(name), label);
}

class UserView implements RowView {
  readonly element = h("div", { className: "row mine" });
  private drawn: UserRow | null = null;

  constructor(private readonly ui: Ui) {}

  update(row: UserRow): void {
    const before = this.drawn;
    if (before?.pending === row.pending && before.content === row.content) return;
    this.drawn = row;
    const { strings } = this.ui.language;
    this.element.replaceChildren(
      h("span", { className: "visually-hidden" }, `${strings.you}: `),
      h("div", { className: "bubble", dir: "auto" }, row.content),
      this.below(row),
    );
  }

  private below({ pending, timestamp }: UserRow): HTMLElement {
    const { strings } = this.ui.language;
    const { actions } = this.ui;
    if (!pending) return h("div", { className: "meta" }, time(timestamp, this.ui));
    if (pending.state === "refused") {
      const said = strings[pending.problem?.code as keyof typeof strings] ?? strings.problem;
      return h("div", { className: "meta refused" }, h("span", { className: "why" }, icon("alert"), `${strings.notSent}. ${said}`),
        h("span", { className: "choices" },
          pending.problem?.code === "too_long" ? null : textButton(strings.retry, "again", () => actions.retry(pending.id)),
          textButton(strings.remove, "close", () => actions.discard(pending.id))));
    }
    const said = pending.problem ? strings.too_fast : pending.state === "sent" ? strings.sending : strings.queued;
    return h("div", { className: "meta" }, said);
  }
}

class AnswerView implements RowView {
  private readonly text: AnswerText;
  private readonly author = h("div", { className: "author", hidden: true });
  private readonly under = h("div", { className: "under" });
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
    if (before?.message !== row.message || before?.text !== row.text) {
      const { message } = row;
      this.text.update(row.text, message ? message.citations.length : null, (n) => this.sources?.show(n));
    }
    if (before && before.message === row.message && before.rating === row.rating && before.askAgain === row.askAgain) return;
    if (before?.message !== row.message) this.decorate(row);
    if (row.message) this.under.lastElementChild?.replaceWith(this.tools(row));
  }

  private decorate({ message, askAgain }: AnswerRow): void {
    const { strings } = this.ui.language;
    this.under.replaceChildren();
    if (!message) return;
    if (message.author) this.signed(message.author.name, message.author.avatar_url);
    if (message.citations.length) {
      this.sources = sourcesOf(message.citations, this.ui);
      this.under.append(this.sources.element);
    }
    if (message.event === "abstained") {
      this.under.append(h("p", { className: "hint" }, icon("alert"), h("span", {}, strings.abstained)));
    }
    if (message.status !== "complete") {
      const said = message.status === "failed" ? strings.failed : strings.stopped;
      this.under.append(h("p", { className: "hint" }, icon("alert"), h("span", {}, said),
        askAgain ? textButton(strings.askAgain, "again", () => this.ui.actions.send(askAgain)) : null));
    }
    this.under.append(h("div"));
  }

  private signed(name: string, avatar: string | null): void {
    const url = avatar ? safeUrl(avatar) : null;
    const picture = url && h("img", { src: url, alt: "", width: 20, height: 20, referrerPolicy: "no-referrer" });
    // A page whose policy allows no foreign pictures shows the name alone.
    if (picture) picture.addEventListener("error", () => picture.remove());
    this.author.replaceChildren(...(picture ? [picture] : []), name);
    this.author.hidden = false;
  }

  private tools(row: AnswerRow): HTMLElement {
    const { strings } = this.ui.language;
    const message = row.message as NonNullable<AnswerRow["message"]>;
    const copy = this.tool("copy", strings.copyAnswer, () => void copyText(message.content, this.ui).then((done) => {
      if (done) copy.replaceChildren(icon("check"));
      setTimeout(() => copy.replaceChildren(icon("copy")), 1500);
    }));
    const tools = h("div", { className: "meta" }, time(message.timestamp, this.ui), copy);
    if (this.ui.features.has("feedback") && !message.author) {
      for (const [name, label, rating] of [["up", strings.helpful, 1], ["down", strings.notHelpful, -1]] as const) {
        const thumb = this.tool(name, label, () => this.ui.actions.rate(message.id, rating));
        thumb.setAttribute("aria-pressed", String(row.rating === rating));
        tools.append(thumb);
      }
    }
    return tools;
  }

  private tool(name: IconName, label: string, act: () => void): HTMLButtonElement {
    return h("button", { type: "button", className: "tool", title: label, "aria-label": label, onclick: act }, icon(name));
  }
}

/** The rows that only ever show what they were made with. */
class PlainView implements RowView {
  readonly element: HTMLElement;
  private drawn = "";

  constructor(row: Row, private readonly ui: Ui) {
    this.element = h("div", { className: `row ${row.kind}` });
  }

  update(row: Row): void {
    const now = JSON.stringify(row);
    if (now === this.drawn) return;
    this.drawn = now;
    this.element.replaceChildren(...this.contents(row));
  }

  private contents(row: Row): Node[] {
    const { strings, locale } = this.ui.language;
    switch (row.kind) {
      case "day": return [h("span", {}, dayName(row.timestamp, locale, strings))];
      case "greeting": return [h("div", { className: "bubble", dir: "auto" }, row.text)];
      case "starters": return [h("ul", { "aria-label": strings.suggestions }, ...row.questions.map((question) =>
        h("li", {}, h("button", { type: "button", className: "starter", dir: "auto", onclick: () => this.ui.actions.send(question) }, question))))];
      case "system": return [h("span", { dir: "auto" }, row.message.content)];
      case "busy": return [h("div", { className: "bubble dots" }, h("i"), h("i"), h("i"),
        h("span", { className: "visually-hidden" },
          row.who === null ? strings.answering : fill(strings.typing, { name: row.who || strings.aPerson })))];
      case "notice": return this.notice(row);
      default: return [];
    }
  }

  private notice(row: Extract<Row, { kind: "notice" }>): Node[] {
    const { strings } = this.ui.language;
    const said = strings[row.problem.code as keyof typeof strings] ?? strings.problem;
    const question = row.askAgain;
    return [h("p", { className: "hint" }, icon("alert"), h("span", {}, said),
      question ? textButton(strings.askAgain, "again", () => this.ui.actions.send(question)) : null)];
  }
}
