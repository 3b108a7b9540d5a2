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

/** What the visitor thinks of an answer; one that is not sent goes out on the next connection. */
export interface Opinion {
  rating: 1 | -1;
  comment: string;
  sent: boolean;
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
  /** Who is writing to the visitor; empty where that is not known. */
  typing: string | null;
  notice: Problem | null;
  /** What the visitor said on this page, per message id; what they said earlier is in the message itself. */
  opinions: Readonly<Record<string, Opinion>>;
  /** The visitor wants a person, and the server does not know yet. */
  wantsPerson: boolean;
  /** How far the visitor has read in the session. */
  readSeq: number;
  isOpen: boolean;
  /** Whether the page can be seen: what comes behind another tab is not read. */
  isVisible: boolean;
  unread: number;
}

export const EMPTY: Conversation = {
  link: "idle", refusal: null, ready: false, resuming: false, name: "", personality: null, settings: {},
  session: null, lastSeq: 0, messages: [], pending: [], answer: null, awaiting: false, stopping: false,
  agent: null, typing: null, notice: null, opinions: {}, wantsPerson: false, readSeq: 0, isOpen: false,
  isVisible: true, unread: 0,
};

export type Happening =
  | { type: "booted"; boot: BootResponse }
  | { type: "link"; state: LinkState; refusal?: string }
  | { type: "frame"; frame: ServerFrame; now: number }
  | { type: "composed"; id: string; content: string; createdAt: string }
  | { type: "retried"; id: string }
  | { type: "discarded"; id: string }
  | { type: "stopped" }
  | { type: "rated"; messageId: string; rating: 1 | -1; comment?: string }
  | { type: "asked_for_person" }
  /** The visitor ends the conversation. */
  | { type: "ended" }
  /** The visitor puts an ended conversation away. */
  | { type: "renewed" }
  | { type: "shown"; open: boolean }
  | { type: "page_seen"; visible: boolean }
  | { type: "read_elsewhere" }
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
