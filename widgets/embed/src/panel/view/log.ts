/** The scrolling list of messages. It follows new text only while the reader is at its end. */
import type { Conversation } from "../conversation/state.ts";
import { h, icon } from "./dom.ts";
import { viewOf, type RowView } from "./messages.ts";
import { rowsOf, type Row } from "./rows.ts";
import type { Ui } from "./ui.ts";

/** Pixels from the end that still count as the end. */
const NEAR = 48;
/** How long one turn may make new rows. */
const TURN_MS = 8;

export class Log {
  readonly list: HTMLElement;
  readonly pill: HTMLButtonElement;
  private readonly views = new Map<string, RowView>();
  private atEnd = true;
  private lastKey = "";
  private rest: ReturnType<typeof setTimeout> | undefined;

  constructor(private readonly ui: Ui) {
    const { strings } = ui.language;
    // Announcements are the announcer's: a live list would read an answer out token by token.
    this.list = h("div", { className: "log", role: "log", tabIndex: 0, "aria-live": "off", "aria-label": strings.conversation });
    this.pill = h("button", { type: "button", className: "pill", hidden: true, onclick: () => this.toEnd() }, icon("arrow"), strings.newMessages);
    this.list.addEventListener("scroll", () => this.scrolled(), { passive: true });
    new ResizeObserver(() => { if (this.atEnd) this.toEnd(); }).observe(this.list);
  }

  /**
   * Draws from the end backwards. A long history takes several turns, so that opening it holds up nothing: what is
   * seen first is there first.
   */
  update(state: Conversation): void {
    const rows = rowsOf(state);
    const keys = rows.map((row) => `${row.kind}:${row.key}`);
    const wanted = new Set(keys);
    for (const [key, view] of this.views) if (!wanted.has(key)) {
      view.element.remove();
      this.views.delete(key);
    }
    clearTimeout(this.rest);
    const until = performance.now() + TURN_MS;
    let next: ChildNode | null = null;
    for (let i = rows.length - 1; i >= 0; i--) {
      const key = keys[i] as string;
      let view = this.views.get(key);
      if (!view) {
        if (performance.now() > until) {
          this.rest = setTimeout(() => this.update(state), 0);
          break;
        }
        this.views.set(key, (view = viewOf(rows[i] as Row, this.ui)));
      }
      view.update(rows[i] as Row);
      if (view.element.nextSibling !== next || !view.element.parentNode) this.list.insertBefore(view.element, next);
      next = view.element;
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
