/** What the list of messages shows, from top to bottom. Pure. */
import type { MessageObject } from "../../protocol.ts";
import type { Conversation, Opinion, Pending, Problem } from "../conversation/state.ts";
import { questionBefore } from "../conversation/timeline.ts";

export interface AnswerRow {
  kind: "answer";
  key: string;
  text: string;
  /** Null while it is being written. */
  message: MessageObject | null;
  /** The question that "Ask again" would send; null where the answer is complete. */
  askAgain: string | null;
  rating: 1 | -1 | null;
  comment: string;
}

export interface UserRow {
  kind: "user";
  key: string;
  content: string;
  timestamp: string;
  pending: Pending | null;
}

export type Row =
  | AnswerRow
  | UserRow
  | { kind: "day"; key: string; timestamp: string }
  | { kind: "greeting"; key: string; text: string }
  | { kind: "starters"; key: string; questions: readonly string[] }
  | { kind: "system"; key: string; message: MessageObject }
  | { kind: "busy"; key: string; who: string | null }
  | { kind: "notice"; key: string; problem: Problem; askAgain: string | null };

/** State changes that a visitor is told of; others are between the tenant's people. */
const TOLD = new Set<string | null>(["waiting", "taken_over", "released", "ended"]);

/** Whether the visitor is shown a system message. */
export const isTold = ({ content, event }: MessageObject): boolean => content !== "" || TOLD.has(event);

const dayOf = (timestamp: string): string => new Date(timestamp).toDateString();

export function rowsOf(state: Conversation): Row[] {
  const { greeting, starterQuestions } = state.settings;
  const isEmpty = state.messages.length === 0 && state.pending.length === 0;
  const rows: Row[] = [];
  if (greeting) rows.push({ kind: "greeting", key: "greeting", text: greeting });
  if (isEmpty && starterQuestions?.length) rows.push({ kind: "starters", key: "starters", questions: starterQuestions });
  const lines = state.messages.flatMap((message, index): [timestamp: string, row: Row][] =>
    message.role === "system" && !isTold(message)
      ? [] : [[message.timestamp, committed(state, message, index)]]);
  const unsent = state.pending.map((pending): [string, UserRow] => [pending.createdAt, waiting(pending)]);
  const running = runningRows(state).map((row): [string, Row] => ["", row]);
  // What is being answered stands above the answer, what is still to be sent below it.
  lines.push(...unsent.filter(([, row]) => row.pending?.state === "sent"), ...running,
             ...unsent.filter(([, row]) => row.pending?.state !== "sent"));
  return [...rows, ...withDays(lines)];
}

/** The rows with a separator before the first of each day; a row without a time belongs to the one before. */
function withDays(lines: [timestamp: string, row: Row][]): Row[] {
  let day = "";
  return lines.flatMap(([timestamp, row]) => {
    const same = !timestamp || dayOf(timestamp) === day;
    if (same) return [row];
    day = dayOf(timestamp);
    return [{ kind: "day" as const, key: `day:${day}`, timestamp }, row];
  });
}

function committed(state: Conversation, message: MessageObject, index: number): Row {
  if (message.role === "system") return { kind: "system", key: message.id, message };
  if (message.role === "user") {
    const { content, timestamp, client_id, id } = message;
    return { kind: "user", key: client_id ?? id, content, timestamp, pending: null };
  }
  const broken = message.status !== "complete";
  const opinion = state.opinions[message.id] ?? (message.metadata["feedback"] as Opinion | undefined);
  return {
    kind: "answer",
    key: message.id,
    text: message.content,
    message,
    askAgain: broken ? questionBefore(state.messages, index) : null,
    rating: opinion?.rating ?? null,
    comment: opinion?.comment ?? "",
  };
}

const waiting = (pending: Pending): UserRow =>
  ({ kind: "user", key: pending.id, content: pending.content, timestamp: pending.createdAt, pending });

function runningRows(state: Conversation): Row[] {
  const { answer, notice } = state;
  if (answer?.text) {
    return [{ kind: "answer", key: answer.messageId, text: answer.text, message: null, askAgain: null, rating: null, comment: "" }];
  }
  if (answer || state.awaiting) return [{ kind: "busy", key: "busy", who: null }];
  if (state.typing !== null) return [{ kind: "busy", key: "busy", who: state.agent?.name ?? state.typing }];
  if (!notice) return [];
  const unanswered = state.messages.at(-1)?.role === "user";
  const askAgain = unanswered ? questionBefore(state.messages, state.messages.length) : null;
  return [{ kind: "notice", key: "notice", problem: notice, askAgain }];
}
