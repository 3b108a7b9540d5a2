/** What every view is given: the language, the parts that are switched on, and what the visitor can do. */
import type { Language } from "../strings/language.ts";

export interface Actions {
  send(text: string): void;
  retry(id: string): void;
  discard(id: string): void;
  stop(): void;
  rate(messageId: string, rating: 1 | -1): void;
  askForPerson(): void;
  close(): void;
  announce(text: string): void;
}

export interface Ui {
  language: Language;
  features: ReadonlySet<string>;
  actions: Actions;
}
