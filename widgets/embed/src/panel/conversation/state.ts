/** What the widget knows of a conversation. Plain data: reduce.ts changes it, the views draw it. */
import type { ClientFrame, ServerFrame, Session, WidgetSettings } from "../../frames.ts";
import type { Author, BootResponse, MessageObject } from "../../protocol.ts";
import type { GrowingText } from "../codepoints.ts";

/** idle: never wanted; offline: the browser says so; refused: trying again would not help. */
export type LinkState = "idle" | "connecting" | "online" | "offline" | "refused";

export interface Problem {
  code: string;
  detail: string;
  /** When it may be tried again, in milliseconds since the epoch. */
  retryAt: number | null;
}

/** A message of the visitor's that the server has not acknowledged. */
export interface Pending {
  id: string;
  content: string;
  createdAt: string;
  state: "queued" | "sent" | "refused";
  problem: Problem | null;
}

/** An answer that is being written. */
export interface RunningAnswer extends GrowingText {
  messageId: string;
}

export interface Conversation {
  link: LinkState;
  /** Why the link is refused: a code of boot's, or of a socket's close. */
  refusal: string | null;
  /** Whether `ready` has come on this connection. */
  ready: boolean;
  /** Whether a `resume` waits for its `history`. */
  resuming: boolean;
  name: string;
  personality: string | null;
  settings: WidgetSettings;
  session: Session | null;
  /** Everything of the session up to this seq is in messages. */
  lastSeq: number;
  /** Committed; earlier sessions of this page first, each ascending. */
  messages: readonly MessageObject[];
  pending: readonly Pending[];
  answer: RunningAnswer | null;
  /** The question is committed and its answer has not begun. */
  awaiting: boolean;
  stopping: boolean;
  agent: Author | null;
  typing: boolean;
  notice: Problem | null;
  /** The visitor's rating per message id. */
  ratings: Readonly<Record<string, 1 | -1>>;
  isOpen: boolean;
  unread: number;
}

export const EMPTY: Conversation = {
  link: "idle", refusal: null, ready: false, resuming: false, name: "", personality: null, settings: {},
  session: null, lastSeq: 0, messages: [], pending: [], answer: null, awaiting: false, stopping: false,
  agent: null, typing: false, notice: null, ratings: {}, isOpen: false, unread: 0,
};

export type Happening =
  | { type: "booted"; boot: BootResponse }
  | { type: "link"; state: LinkState; refusal?: string }
  | { type: "frame"; frame: ServerFrame; now: number }
  | { type: "composed"; id: string; content: string; createdAt: string }
  | { type: "retried"; id: string }
  | { type: "discarded"; id: string }
  | { type: "stopped" }
  | { type: "rated"; messageId: string; rating: 1 | -1 }
  | { type: "asked_for_person" }
  | { type: "shown"; open: boolean }
  | { type: "typing_ended" }
  /** Nothing of an answer has come for so long that none will. */
  | { type: "gave_up_waiting" };

/** What the outside must do because of a change. */
export type Effect =
  | { type: "send"; frame: ClientFrame }
  /** The gap is too old to be resumed: boot again and take its messages. */
  | { type: "reconnect" }
  | { type: "retry_later"; id: string; at: number }
  | { type: "arrived"; message: MessageObject; live: boolean }
  | { type: "failed"; problem: Problem };

export interface Step {
  state: Conversation;
  effects: readonly Effect[];
}


/** Whether an answer is under way, so that the next question has to wait. */
export const isAnswering = (state: Conversation): boolean => state.awaiting || state.answer !== null;
