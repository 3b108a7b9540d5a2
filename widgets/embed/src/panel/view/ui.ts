/** What every view is given: the language, the card for quotes, and what the visitor can do. */
import type { Language } from "../strings/language.ts";
import type { QuoteCard } from "./quote-card.ts";

export interface Actions {
  send(text: string): void;
  retry(id: string): void;
  discard(id: string): void;
  stop(): void;
  /** The visitor is writing. */
  typing(): void;
  rate(messageId: string, rating: 1 | -1, comment?: string): void;
  askForPerson(): void;
  /** Ends the conversation. */
  end(): void;
  /** Puts an ended conversation away. */
  renew(): void;
  close(): void;
  announce(text: string): void;
}

export interface Ui {
  language: Language;
  quotes: QuoteCard;
  actions: Actions;
}
