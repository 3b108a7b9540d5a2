"""What became of an answer, for metrics: counted once when it is over, never while it is told."""

from decimal import Decimal
from typing import Final, Literal

from ai.labelling import model_label
from kernel import measuring
from widgets.chat.composing import Composition
from widgets.chat.replying import Draft
from widgets.models import MessageStatus

Via = Literal["chat", "api"]
MODEL: Final = "llm"


def report(
    work: Composition, draft: Draft, *, via: Via, cost: Decimal | str | None, stopped: bool = False
) -> None:
    """Count an answer that is over: its outcome, how long it took, what its model did and what it cost.

    `stopped`: it was broken off on request. `cost` is in US dollars, None where it is not known.
    """
    outcome = _outcome(draft, stopped)
    measuring.ANSWERS.labels(via, outcome).inc()
    if outcome in ("answered", "abstained") and work.first_text is not None:
        measuring.FIRST_TOKEN_SECONDS.labels(via).observe(work.first_text - work.started)
        measuring.ANSWER_SECONDS.labels(via).observe(draft.metadata["latencyMs"] / 1000)
    if work.found is not None and MODEL in work.traced:
        provider = work.found.model.provider
        model = model_label(provider, work.found.model.model)
        measuring.MODEL_CALLS.labels(provider, model, _call_outcome(work, draft)).inc()
        if work.usage is not None:
            measuring.MODEL_TOKENS.labels(provider, model, "input").inc(work.usage.input_tokens)
            measuring.MODEL_TOKENS.labels(provider, model, "output").inc(work.usage.output_tokens)
        if cost is not None:
            measuring.COST_USD.labels(provider, model).inc(float(cost))


def _outcome(draft: Draft, stopped: bool) -> str:
    match draft.status, draft.metadata["event"]:
        case MessageStatus.COMPLETE, "abstained":
            return "abstained"
        case MessageStatus.COMPLETE, _:
            return "answered"
        case MessageStatus.INTERRUPTED, "interrupted":
            return "stopped" if stopped else "interrupted"
        case _, "interrupted" if stopped:
            return "stopped"
        case _:
            return "failed"


def _call_outcome(work: Composition, draft: Draft) -> str:
    if work.failure is not None:
        return work.failure.code
    return "ok" if draft.status == MessageStatus.COMPLETE else "stopped"
