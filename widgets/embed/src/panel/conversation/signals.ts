/** What the visitor says without words: ratings, "a person, please", and how far they have read. */
import type { ClientFrame } from "../../frames.ts";
import type { Conversation, Effect, Opinion, Step } from "./state.ts";

const sending = (frame: ClientFrame): Effect => ({ type: "send", frame });

function feedback(messageId: string, { rating, comment }: Opinion): Effect {
  return sending({ type: "feedback", message_id: messageId, rating, ...(comment ? { comment } : {}) });
}

/** Keeps the opinion, and sends it at once where there is a connection. */
export function rate(state: Conversation, messageId: string, rating: 1 | -1, comment?: string): Step {
  const before = state.opinions[messageId];
  const kept = comment ?? (before?.rating === rating ? before.comment : "");
  const opinion: Opinion = { rating, comment: kept, sent: state.ready };
  return {
    state: { ...state, opinions: { ...state.opinions, [messageId]: opinion } },
    effects: state.ready ? [feedback(messageId, opinion)] : [],
  };
}

/** The state without an opinion that the server refused. */
export function unrate(state: Conversation, messageId: string): Conversation {
  const { [messageId]: _, ...opinions } = state.opinions;
  return { ...state, opinions };
}

/** On a connection: sends what could not be sent before. */
export function catchUp({ state, effects }: Step): Step {
  if (!state.ready) return { state, effects };
  const late = Object.entries(state.opinions).filter(([, opinion]) => !opinion.sent);
  if (!late.length) return callPerson({ state, effects });
  const sent = late.map(([id, opinion]) => [id, { ...opinion, sent: true }] as const);
  return callPerson({
    state: { ...state, opinions: { ...state.opinions, ...Object.fromEntries(sent) } },
    effects: [...effects, ...late.map(([id, opinion]) => feedback(id, opinion))],
  });
}

/** Calls a person where one is wanted and there is a conversation to hand over. */
export function callPerson({ state, effects }: Step): Step {
  if (!state.wantsPerson || !state.ready || !state.session) return { state, effects };
  return {
    state: { ...state, wantsPerson: false },
    effects: state.session.status === "ai" ? [...effects, sending({ type: "handoff" })] : effects,
  };
}

/** Tells the server how far the visitor has read, where there is more of others to be read than it knows of. */
export function markRead({ state, effects }: Step): Step {
  const last = state.messages.at(-1);
  const sees = state.isOpen && state.isVisible;
  if (!sees || !last || last.role === "user" || last.session !== state.session?.id || last.seq <= state.readSeq) {
    return { state: sees && state.unread ? { ...state, unread: 0 } : state, effects };
  }
  if (!state.ready) return { state: { ...state, unread: 0 }, effects };
  return {
    state: { ...state, unread: 0, readSeq: last.seq },
    effects: [...effects, sending({ type: "read", seq: last.seq })],
  };
}
