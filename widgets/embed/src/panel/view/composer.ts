/** Where the visitor writes. */
import { MAX_CONTENT } from "../../frames.ts";
import { lengthOf } from "../codepoints.ts";
import { isAnswering, type Conversation } from "../conversation/state.ts";
import { fill } from "../strings/language.ts";
import { h, icon, setText } from "./dom.ts";
import type { Ui } from "./ui.ts";

const SHOW_COUNTER_FROM = 7500;
const MAX_HEIGHT = 132;

export class Composer {
  readonly element: HTMLFormElement;
  readonly input: HTMLTextAreaElement;
  private readonly button: HTMLButtonElement;
  private readonly counter = h("div", { id: "fd-counter", className: "counter", role: "status", hidden: true });
  private answering = false;
  private refused = false;
  /** Safari ends a composition before the keydown that ended it. */
  private composedAt = -Infinity;

  constructor(private readonly ui: Ui) {
    const { strings } = ui.language;
    this.input = h("textarea", {
      rows: 1, placeholder: strings.placeholder, dir: "auto", "aria-label": strings.write, "aria-describedby": "fd-counter",
      enterKeyHint: "send", autocomplete: "off",
      oninput: () => {
        this.typed();
        this.ui.actions.typing();
      },
      onkeydown: (event: KeyboardEvent) => this.key(event),
      oncompositionend: (event: CompositionEvent) => { this.composedAt = event.timeStamp; },
    });
    this.button = h("button", { type: "submit", className: "send" });
    this.element = h("form", {
      className: "composer", noValidate: true,
      onsubmit: (event: SubmitEvent) => {
        event.preventDefault();
        if (this.answering) this.ui.actions.stop();
        else this.submit();
      },
    }, h("div", { className: "field" }, this.input, this.button), this.counter);
    this.draw();
  }

  update(state: Conversation): void {
    const answering = isAnswering(state) && state.ready;
    const refused = state.link === "refused";
    const withPerson = state.session?.status === "human" || state.session?.status === "waiting" || state.wantsPerson;
    this.input.placeholder = this.ui.language.strings[withPerson ? "writeToPerson" : "placeholder"];
    if (answering === this.answering && refused === this.refused && !state.stopping) return;
    this.answering = answering;
    this.refused = refused;
    this.draw(state.stopping);
  }

  focus(): void {
    this.input.focus({ preventScroll: true });
  }

  private key(event: KeyboardEvent): void {
    const composing = event.isComposing || event.keyCode === 229 || event.timeStamp - this.composedAt < 50;
    if (event.key !== "Enter" || event.shiftKey || event.altKey || composing) return;
    event.preventDefault();
    this.submit();
  }

  private get excess(): number {
    return lengthOf(this.input.value.trim()) - MAX_CONTENT;
  }

  private submit(): void {
    const text = this.input.value.trim();
    if (!text || this.excess > 0 || this.refused) return;
    this.input.value = "";
    this.typed();
    this.ui.actions.send(text);
  }

  private typed(): void {
    this.input.style.height = "auto";
    this.input.style.height = `${Math.min(this.input.scrollHeight, MAX_HEIGHT)}px`;
    this.draw();
  }

  private draw(stopping = false): void {
    const { strings, locale } = this.ui.language;
    const excess = this.excess;
    const over = excess > 0;
    this.counter.hidden = excess < SHOW_COUNTER_FROM - MAX_CONTENT;
    this.counter.classList.toggle("over", over);
    if (!this.counter.hidden) {
      const n = new Intl.NumberFormat(locale).format(Math.abs(excess));
      setText(this.counter, fill(over ? strings.tooMany : strings.remaining, { n }));
    }
    this.input.setAttribute("aria-invalid", String(over));
    this.input.disabled = this.refused;
    const label = this.answering ? strings.stop : strings.send;
    if (this.button.title !== label) {
      this.button.title = label;
      this.button.setAttribute("aria-label", label);
      this.button.replaceChildren(icon(this.answering ? "stop" : "send"));
    }
    this.button.disabled = this.answering ? stopping : this.refused || over || !this.input.value.trim();
  }
}
