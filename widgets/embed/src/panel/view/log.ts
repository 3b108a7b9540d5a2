/** The scrolling list of messages. It follows new text only while the reader is at its end. */
import type { Conversation } from "../conversation/state.ts";
import { h, icon } from "./dom.ts";
import { viewOf, type RowView } from "./messages.ts";
import { rowsOf } from "./rows.ts";
import type { Ui } from "./ui.ts";

/** Pixels from the end that still count as the end. */
const NEAR = 48;

export class Log {
  readonly list: HTMLElement;
  readonly pill: HTMLButtonElement;
  private readonly views = new Map<string, RowView>();
  private atEnd = true;
  private lastKey = "";

  constructor(private readonly ui: Ui) {
    const { strings } = ui.language;
    // Announcements are the announcer's: a live list would read an answer out token by token.
    this.list = h("div", { className: "log", role: "log", tabIndex: 0, "aria-live": "off", "aria-label": strings.conversation });
    this.pill = h("button", { type: "button", className: "pill", hidden: true, onclick: () => this.toEnd() }, icon("arrow"), strings.newMessages);
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => { if (this.atEnd) this.toEnd(); }).observe(this.list);
  }

  update(state: Conversation): void {
    const rows = rowsOf(state);
    const keys = new Set(rows.map((row) => `${row.kind}:${row.key}`));
    for (const [key, view] of this.views) if (!keys.has(key)) {
      view.element.remove();
      this.views.delete(key);
    }
    let place: ChildNode | null = this.list.firstChild;
    for (const row of rows) {
      const key = `${row.kind}:${row.key}`;
      let view = this.views.get(key);
      if (!view) this.views.set(key, (view = viewOf(row, this.ui)));
      view.update(row);
      if (view.element === place) place = place.nextSibling;
      else this.list.insertBefore(view.element, place);
    }
    this.follow(rows.at(-1)?.key ?? "", rows.at(-1)?.kind === "user");
  }

  /** Stays at the end where the reader was there, or has just sent something; else offers the way there. */
  private follow(key: string, mine: boolean): void {
    const isNew = key !== this.lastKey;
    this.lastKey = key;
    if (this.atEnd || (isNew && mine)) this.toEnd();
    else if (isNew) this.pill.hidden = false;
  }

  toEnd(): void {
    this.list.scrollTop = this.list.scrollHeight;
    this.atEnd = true;
    this.pill.hidden = true;
  }

  private scrolled(): void {
    const { scrollTop, scrollHeight, clientHeight } = this.list;
    this.atEnd = scrollHeight - scrollTop - clientHeight < NEAR;
    if (this.atEnd) this.pill.hidden = true;
  }
}
