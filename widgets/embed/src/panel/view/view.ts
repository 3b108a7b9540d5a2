/** The whole panel, drawn from the conversation's state once per frame at most. */
import type { Conversation } from "../conversation/state.ts";
import type { Announcer } from "./announcer.ts";
import { Composer } from "./composer.ts";
import { h } from "./dom.ts";
import { Footer } from "./footer.ts";
import { Header } from "./header.ts";
import { Log } from "./log.ts";
import { Shell } from "./shell.ts";
import { StatusLine } from "./status-line.ts";
import { applyTheme, type Theme } from "./theme.ts";
import type { Ui } from "./ui.ts";
import styles from "./panel.css";

export interface Fixed {
  root: ShadowRoot;
  launcher: HTMLElement;
  name: string;
  theme: Theme;
  primaryColor: string | undefined;
  secondaryColor: string | undefined;
}

export class PanelView {
  readonly shell: Shell;
  private readonly header: Header;
  private readonly log: Log;
  private readonly status: StatusLine;
  private readonly composer: Composer;
  private readonly footer: Footer;
  private readonly sheet = new CSSStyleSheet();
  private readonly endTheme: () => void;
  private latest: Conversation | null = null;
  private scheduled = false;

  constructor(ui: Ui, announcer: Announcer, private readonly fixed: Fixed) {
    const { language } = ui;
    this.header = new Header(ui, fixed.name);
    this.log = new Log(ui);
    this.status = new StatusLine(ui);
    this.composer = new Composer(ui);
    this.footer = new Footer(ui);
    this.shell = new Shell(
      { launcher: fixed.launcher, focusFirst: () => this.composer.focus(), onEscape: () => { if (!ui.quotes.hide()) ui.actions.close(); } },
      this.header.element,
      h("div", { className: "middle" }, this.log.list, this.log.pill, ui.quotes.element),
      this.status.element,
      this.composer.element,
      this.footer.element,
    );
    // Beside the panel, not in it: what arrives while it is closed is told too.
    this.shell.root.append(announcer.element);
    this.shell.root.dir = language.direction;
    this.shell.root.lang = language.stringsIn;
    this.endTheme = applyTheme(this.shell.root, fixed.theme, fixed.primaryColor, fixed.secondaryColor);
    this.sheet.replaceSync(styles);
    fixed.root.adoptedStyleSheets = [...fixed.root.adoptedStyleSheets, this.sheet];
    fixed.root.insertBefore(this.shell.root, fixed.launcher);
  }

  /** Draws in the next frame; a page in the background has no frames, so there a timer does. */
  update(state: Conversation): void {
    this.latest = state;
    if (this.scheduled) return;
    this.scheduled = true;
    if (document.hidden) setTimeout(() => this.draw(), 100);
    else requestAnimationFrame(() => this.draw());
  }

  open(): void {
    this.draw();
    this.shell.open();
    this.log.toEnd();
  }

  /** To where writing starts. */
  focus(): void {
    this.composer.focus();
  }

  remove(): void {
    this.endTheme();
    this.shell.remove();
    this.fixed.root.adoptedStyleSheets = this.fixed.root.adoptedStyleSheets.filter((sheet) => sheet !== this.sheet);
  }

  private draw(): void {
    this.scheduled = false;
    const state = this.latest;
    if (!state) return;
    this.shell.root.dataset["status"] = state.session?.status ?? "ai";
    this.header.update(state);
    this.log.update(state);
    this.status.update(state);
    this.composer.update(state);
    this.footer.update(state);
  }
}
