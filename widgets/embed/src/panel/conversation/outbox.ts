/** The visitor's messages on their way out, one at a time. */
import type { Conversation, Effect, Pending, Step } from "./state.ts";
import { isAnswering } from "./state.ts";

const patch = (pending: readonly Pending[], id: string, change: Partial<Pending>): readonly Pending[] =>
  pending.map((p) => (p.id === id ? { ...p, ...change } : p));

/** Sends the next queued message where the link is up and no earlier one is still being answered. */
export function flush(state: Conversation, effects: readonly Effect[] = []): Step {
  const next = state.pending.find((p) => p.state !== "refused");
  const blocked = !state.ready || !next || next.state === "sent" || next.problem !== null || isAnswering(state);
  return blocked ? { state, effects } : transmit(state, next, effects);
}

function transmit(state: Conversation, next: Pending, effects: readonly Effect[]): Step {
  return {
    state: { ...state, pending: patch(state.pending, next.id, { state: "sent", problem: null }) },
    effects: [...effects, { type: "send", frame: { type: "message", id: next.id, content: next.content } }],
  };
}

/** On a new connection: what was sent and not acknowledged goes out again under its id, whatever else runs. */
export function resendUnacknowledged(state: Conversation): Step {
  const lost = state.pending.find((p) => p.state === "sent");
  return lost ? transmit(state, lost, []) : flush(state);
}

export function compose(state: Conversation, id: string, content: string, createdAt: string): Step {
  const pending: Pending = { id, content, createdAt, state: "queued", problem: null };
  return flush({ ...state, notice: null, pending: [...state.pending, pending] });
}

export function retry(state: Conversation, id: string): Step {
  return flush({ ...state, notice: null, pending: patch(state.pending, id, { state: "queued", problem: null }) });
}

export function discard(state: Conversation, id: string): Step {
  return flush({ ...state, pending: state.pending.filter((p) => p.id !== id) });
}

/** A refusal: one of too_fast waits and goes out by itself, any other is the visitor's to decide. */
export function refuse(state: Conversation, id: string, problem: NonNullable<Pending["problem"]>): Step {
  const again = problem.code === "too_fast" && problem.retryAt !== null ? problem.retryAt : null;
  const pending = patch(state.pending, id, { state: again === null ? "refused" : "queued", problem });
  const effects: Effect[] = [{ type: "failed", problem }];
  if (again !== null) effects.push({ type: "retry_later", id, at: again });
  return flush({ ...state, pending }, effects);
}
