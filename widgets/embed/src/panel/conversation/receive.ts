/** What each server frame changes. */
import type { ServerFrame, Session } from "../../frames.ts";
import type * as p from "../../protocol.ts";
import { grow, growing, lengthOf } from "../codepoints.ts";
import { flush, refuse, resendUnacknowledged } from "./outbox.ts";
import { callPerson, catchUp, unrate } from "./signals.ts";
import type { Conversation, Effect, Problem, Step } from "./state.ts";
import { place } from "./timeline.ts";

export function receive(state: Conversation, frame: ServerFrame, now: number): Step {
  switch (frame.type) {
    case "ready": return ready(state, frame);
    case "ack": return acked(state, frame, now);
    case "start": return started(state, frame);
    case "delta": return delta(state, frame);
    case "message": return message(state, frame.message);
    case "history": return history(state, frame);
    case "status": return status(state, frame);
    case "typing": return only(frame.who === "visitor" ? state : { ...state, typing: frame.who });
    case "error": return failed(state, frame, now);
    case "pong": return only(state);
  }
}

const only = (state: Conversation): Step => ({ state, effects: [] });

/** Asks for what is missing, unless that is asked already. */
function resume(state: Conversation, effects: readonly Effect[] = []): Step {
  if (state.resuming || !state.ready) return { state, effects };
  return {
    state: { ...state, resuming: true },
    effects: [...effects, { type: "send", frame: { type: "resume", after: state.lastSeq } }],
  };
}

/** The state with the session of the given id; another one than before counts from 0 again. */
function inSession(state: Conversation, id: string): Conversation {
  if (state.session?.id === id) return state;
  return { ...state, session: { id, status: "ai", last_seq: 0 }, lastSeq: 0, readSeq: 0, answer: null, awaiting: false, agent: null };
}

function ready(state: Conversation, frame: p.ServerReady): Step {
  let next: Conversation = { ...state, link: "online", refusal: null, ready: true, resuming: false, stopping: false };
  if (frame.session) next = { ...inSession(next, frame.session.id), session: frame.session };
  else if (next.session) next = { ...next, session: null, lastSeq: 0, readSeq: 0, answer: null, awaiting: false, agent: null };
  const step = catchUp(resendUnacknowledged(next));
  return frame.session ? resume(step.state, step.effects) : step;
}

function acked(state: Conversation, frame: p.ServerAck, now: number): Step {
  const pending = state.pending.find((m) => m.id === frame.id);
  if (!pending) return only(state);
  const mine: p.MessageObject = {
    id: frame.message_id, session: frame.session, seq: frame.seq, role: "user", author: null,
    content: pending.content, attachments: [], citations: [], status: "complete", client_id: frame.id,
    event: null, metadata: {}, timestamp: new Date(now).toISOString(),
  };
  const base = inSession(state, frame.session);
  const follows = frame.seq <= base.lastSeq + 1;
  const answered = frame.seq < base.lastSeq;
  const next: Conversation = {
    ...base,
    pending: base.pending.filter((m) => m.id !== frame.id),
    messages: base.messages.some((m) => m.id === mine.id) ? base.messages : place(base.messages, mine),
    lastSeq: follows ? Math.max(base.lastSeq, frame.seq) : base.lastSeq,
    awaiting: base.session?.status === "ai" && !answered && base.answer === null,
  };
  const effects: Effect[] = [{ type: "arrived", message: mine, live: true }];
  return callPerson(follows ? flush(next, effects) : resume(next, effects));
}

function started(state: Conversation, frame: p.ServerStart): Step {
  if (state.answer?.messageId === frame.message_id || has(state, frame.message_id)) return only(state);
  return only({ ...state, answer: { messageId: frame.message_id, ...growing() }, awaiting: false, notice: null });
}

const has = (state: Conversation, id: string): boolean => state.messages.some((m) => m.id === id);

function delta(state: Conversation, frame: p.ServerDelta): Step {
  if (has(state, frame.message_id)) return only(state);
  const known = state.answer?.messageId === frame.message_id ? state.answer : growing();
  const grown = grow(known, frame.offset, frame.text);
  if (!grown) return resume(state);
  return only({ ...state, answer: { ...grown, messageId: frame.message_id }, awaiting: false, typing: null });
}

function message(before: Conversation, given: p.MessageObject): Step {
  const state = inSession(before, given.session);
  if (given.seq > state.lastSeq + 1) return resume(state);
  const step = commit(state, given, true);
  return flush(step.state, step.effects);
}

/** Takes a message into the timeline; what it settles (a pending one, the running answer) is settled. */
function commit(state: Conversation, given: p.MessageObject, live: boolean): Step {
  const known = has(state, given.id);
  const answers = given.role === "assistant";
  const next: Conversation = {
    ...state,
    messages: place(state.messages, given),
    lastSeq: Math.max(state.lastSeq, given.seq),
    pending: given.client_id ? state.pending.filter((m) => m.id !== given.client_id) : state.pending,
    answer: state.answer?.messageId === given.id ? null : state.answer,
    awaiting: answers ? false : state.awaiting,
    stopping: answers ? false : state.stopping,
    typing: answers ? null : state.typing,
    unread: !known && answers && given.seq > state.readSeq ? state.unread + 1 : state.unread,
  };
  return { state: next, effects: known ? [] : [{ type: "arrived", message: given, live }] };
}

function history(before: Conversation, frame: p.ServerHistory): Step {
  let state: Conversation = { ...before, resuming: false };
  if (!frame.complete) return { state, effects: [{ type: "reconnect" }] };
  const effects: Effect[] = [];
  for (const given of frame.messages) {
    const step = commit(inSession(state, given.session), given, false);
    state = step.state;
    effects.push(...step.effects);
  }
  const last = state.messages.at(-1);
  if (frame.partial && !has(state, frame.partial.message_id)) {
    const { message_id: messageId, text } = frame.partial;
    const known = state.answer?.messageId === messageId ? state.answer : null;
    const longer = known && known.length > lengthOf(text) ? known : { messageId, ...growing(text) };
    state = { ...state, answer: longer, awaiting: false };
  } else {
    state = { ...state, answer: null, awaiting: state.awaiting && last?.role === "user" };
  }
  return flush(state, effects);
}

function status(state: Conversation, frame: p.ServerStatus): Step {
  const session: Session | null = state.session && { ...state.session, status: frame.status };
  const awaiting = frame.status === "ai" && state.awaiting;
  const typing = frame.status === "human" ? state.typing : null;
  return flush({ ...state, session, awaiting, typing, agent: frame.agent ?? (frame.status === "human" ? state.agent : null) });
}

/** Codes after which the question that is being answered gets no answer. */
const FINAL = new Set<string>(["budget_reached", "model_unavailable", "session_ended"]);

function failed(state: Conversation, frame: p.ServerError, now: number): Step {
  const problem: Problem = {
    code: frame.code,
    detail: frame.detail,
    retryAt: frame.retry_after === undefined ? null : now + frame.retry_after * 1000,
  };
  if (frame.id && state.pending.some((m) => m.id === frame.id)) return refuse(state, frame.id, problem);
  const effects: Effect[] = [{ type: "failed", problem }];
  if (frame.id && state.opinions[frame.id]) return { state: unrate(state, frame.id), effects };
  if (frame.code === "bad_frame") return { state, effects };
  const awaiting = FINAL.has(frame.code) ? false : state.awaiting;
  return flush({ ...state, notice: problem, awaiting, stopping: false }, effects);
}
