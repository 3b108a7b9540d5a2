/** The conversation's state machine: pure, so that every race can be tested without a browser or a server. */
import type { BootResponse, MessageObject } from "../../protocol.ts";
import { compose, discard, flush, retry } from "./outbox.ts";
import { receive } from "./receive.ts";
import { callPerson, markRead, rate } from "./signals.ts";
import type { Conversation, Happening, LinkState, Step } from "./state.ts";
import { isAnswering } from "./state.ts";
import { place, replaceSession } from "./timeline.ts";

const only = (state: Conversation): Step => ({ state, effects: [] });

export function reduce(state: Conversation, happening: Happening): Step {
  return markRead(change(state, happening));
}

function change(state: Conversation, happening: Happening): Step {
  switch (happening.type) {
    case "booted": return only(booted(state, happening.boot));
    case "link": return only(linked(state, happening.state, happening.refusal ?? null));
    case "frame": return receive(state, happening.frame, happening.now);
    case "composed": return compose(state, happening.id, happening.content, happening.createdAt);
    case "retried": return retry(state, happening.id);
    case "discarded": return discard(state, happening.id);
    case "stopped": return stopped(state);
    case "rated": return rate(state, happening.messageId, happening.rating, happening.comment);
    case "asked_for_person": return callPerson(only({ ...state, wantsPerson: true }));
    case "ended": return { state, effects: state.ready && state.session ? [{ type: "send", frame: { type: "end" } }] : [] };
    case "renewed": return only(renewed(state));
    case "shown": return only({ ...state, isOpen: happening.open });
    case "page_seen": return only({ ...state, isVisible: happening.visible });
    case "read_elsewhere": return only({ ...state, unread: 0, readSeq: Math.max(state.readSeq, state.lastSeq) });
    case "typing_ended": return only({ ...state, typing: null });
    case "gave_up_waiting": return gaveUp(state);
  }
}

/**
 * Takes boot's messages. They are the end of the open session: where they join what is known they add to it,
 * where they do not (a long absence, another session) they replace it.
 */
function booted(state: Conversation, boot: BootResponse): Conversation {
  const { widget, messages, session } = boot;
  const next: Conversation = {
    ...state,
    name: widget.name,
    personality: widget.personality?.name ?? null,
    settings: widget.settings,
    session,
  };
  if (!session) return { ...next, lastSeq: 0, readSeq: 0, unread: 0, answer: null, awaiting: false };
  const known = state.session?.id === session.id ? state.lastSeq : 0;
  const first = messages[0]?.seq ?? 1;
  const last = messages.at(-1)?.seq ?? 0;
  const joins = known > 0 && first <= known + 1;
  const readSeq = Math.max(known ? state.readSeq : 0, boot.read_seq);
  return {
    ...next,
    readSeq,
    unread: messages.filter((m) => m.role === "assistant" && m.seq > readSeq).length,
    agent: session.status === "human" ? (messages.findLast((m) => m.author)?.author ?? state.agent) : null,
    messages: joins
      ? messages.reduce<readonly MessageObject[]>(place, state.messages)
      : replaceSession(state.messages, session.id, messages),
    lastSeq: Math.max(joins ? known : 0, last),
    pending: state.pending.filter((p) => !messages.some((m) => m.client_id === p.id)),
    answer: known && !messages.some((m) => m.id === state.answer?.messageId) ? state.answer : null,
    awaiting: known > 0 && state.awaiting && messages.at(-1)?.role !== "assistant",
  };
}

function linked(state: Conversation, link: LinkState, refusal: string | null): Conversation {
  const online = link === "online";
  return { ...state, link, refusal, ready: online && state.ready, resuming: online && state.resuming, typing: null };
}

function stopped(state: Conversation): Step {
  if (!isAnswering(state) || state.stopping || !state.ready) return only(state);
  return { state: { ...state, stopping: true }, effects: [{ type: "send", frame: { type: "stop" } }] };
}

/** Nothing of the ended conversation is shown any more; the next message starts another one. */
function renewed(state: Conversation): Conversation {
  if (state.session?.status !== "ended") return state;
  return {
    ...state, session: null, messages: [], pending: [], lastSeq: 0, readSeq: 0, answer: null, awaiting: false, agent: null,
    notice: null, unread: 0,
  };
}

function gaveUp(state: Conversation): Step {
  if (!isAnswering(state)) return only(state);
  const problem = { code: "no_answer", detail: "", retryAt: null };
  return flush({ ...state, awaiting: false, answer: null, stopping: false, notice: problem },
               [{ type: "failed", problem }]);
}
