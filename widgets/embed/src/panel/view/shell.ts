/** The panel as a dialog: shown beside the page, or over all of it on a phone. */
import { h } from "./dom.ts";

const PHONE = "(max-width: 479.98px)";
const FOCUSABLE = "button, a[href], textarea, input, [tabindex='0']";

export interface ShellParts {
  launcher: HTMLElement;
  /** Where writing starts. */
  focusFirst(): void;
  onEscape(): void;
}

export class Shell {
  readonly panel: HTMLElement;
  readonly root: HTMLElement;
  private readonly phone = matchMedia(PHONE);
  private readonly stops: (() => void)[] = [];
  private pageOverflow: string | null = null;

  constructor(private readonly parts: ShellParts, ...children: Node[]) {
    this.panel = h("section", {
      className: "panel", role: "dialog", tabIndex: -1, hidden: true, "aria-labelledby": "fd-title", "aria-modal": "false",
    }, ...children);
    this.root = h("div", { className: "fd" }, this.panel);
    if (parts.launcher.classList.contains("left")) this.panel.classList.add("left");
    for (const type of ["keydown", "keypress", "keyup"] as const) this.panel.addEventListener(type, (event) => this.key(event));
    this.listen(this.phone, "change", () => { if (this.isOpen) this.fit(); });
    if (window.visualViewport) {
      this.listen(window.visualViewport, "resize", () => this.followKeyboard());
      this.listen(window.visualViewport, "scroll", () => this.followKeyboard());
    }
  }

  get isOpen(): boolean {
    return !this.panel.hidden;
  }

  open(): void {
    this.panel.hidden = false;
    this.fit();
    // On a touch screen the keyboard would cover what there is to read first.
    if (matchMedia("(pointer: coarse)").matches) this.panel.focus({ preventScroll: true });
    else this.parts.focusFirst();
  }

  close(): void {
    const hadFocus = this.panel.contains((this.panel.getRootNode() as ShadowRoot).activeElement);
    this.panel.hidden = true;
    this.fit();
    if (hadFocus) this.parts.launcher.focus({ preventScroll: true });
  }

  remove(): void {
    this.panel.hidden = true;
    this.fit();
    this.stops.forEach((stop) => stop());
    this.root.remove();
  }

  /** Full screen is modal, and the page behind it does not scroll. */
  private fit(): void {
    const full = this.isOpen && this.phone.matches;
    const page = document.documentElement.style;
    this.panel.setAttribute("aria-modal", String(full));
    if (full && this.pageOverflow === null) {
      this.pageOverflow = page.overflow;
      page.overflow = "hidden";
    } else if (!full && this.pageOverflow !== null) {
      page.overflow = this.pageOverflow;
      this.pageOverflow = null;
    }
    this.followKeyboard();
  }

  /** The on-screen keyboard shrinks the visual viewport only: the panel takes its size, not the window's. */
  private followKeyboard(): void {
    const seen = window.visualViewport;
    const full = this.isOpen && this.phone.matches && seen !== null && seen.scale === 1;
    this.panel.style.height = full ? `${seen.height}px` : "";
    this.panel.style.top = full ? `${seen.offsetTop}px` : "";
  }

  private key(event: KeyboardEvent): void {
    // The page's own shortcuts do not see a text field here, only our host element.
    event.stopPropagation();
    if (event.type !== "keydown" || event.isComposing) return;
    if (event.key === "Escape") {
      event.preventDefault();
      this.parts.onEscape();
    } else if (event.key === "Tab" && this.panel.getAttribute("aria-modal") === "true") this.keepFocus(event);
  }

  private keepFocus(event: KeyboardEvent): void {
    const stops = [...this.panel.querySelectorAll<HTMLElement>(FOCUSABLE)]
      .filter((e) => !(e as HTMLButtonElement).disabled && e.getClientRects().length > 0);
    const active = (this.panel.getRootNode() as ShadowRoot).activeElement;
    const [first, last] = [stops[0], stops.at(-1)];
    const leaving = event.shiftKey ? active === first || active === this.panel : active === last;
    if (!leaving) return;
    event.preventDefault();
    (event.shiftKey ? last : first)?.focus();
  }

  private listen(target: EventTarget, type: string, act: () => void): void {
    target.addEventListener(type, act);
    this.stops.push(() => target.removeEventListener(type, act));
  }
}
