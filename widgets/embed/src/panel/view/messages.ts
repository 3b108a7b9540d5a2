/** How one row of the list looks. A row that goes on under the same key keeps its view. */
import type { MessageObject } from "../../protocol.ts";
import { fill } from "../strings/language.ts";
import type { Strings } from "../strings/en.ts";
import { AnswerView } from "./answer-view.ts";
import { dayName, time } from "./dates.ts";
import { h, icon, textButton } from "./dom.ts";
import type { Row, UserRow } from "./rows.ts";
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

/** What a state change says to the visitor. */
export const changeText = ({ content, event, author }: MessageObject, strings: Strings): string =>
  content || fill(strings[event as "waiting" | "taken_over"], { name: author?.name ?? strings.someone });

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
      case "system": return [h("span", { dir: "auto" }, changeText(row.message, strings))];
      case "busy": return [h("div", { className: "bubble dots" }, h("i"), h("i"), h("i"),
        h("span", { className: "visually-hidden" },
          row.who === null ? strings.answering : fill(strings.typing, { name: row.who || strings.someone })))];
      case "notice": return this.notice(row);
      default: return [];
    }
  }

  private notice(row: Extract<Row, { kind: "notice" }>): Node[] {
    const { strings } = this.ui.language;
    const said = strings[row.problem.code as keyof typeof strings] ?? strings.problem;
    const question = row.askAgain;
    return [h("p", { className: "hint" }, icon("alert"), h("span", {}, said),
      question ? textButton(strings.askAgain, "again", () => this.ui.actions.send(question)) : null,
      textButton(strings.talkToPerson, "person", this.ui.actions.askForPerson, "ask-person"))];
  }
}
