"""One question, one answer, no session: what `answers/` promises."""

import asyncio
import uuid
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, Literal, TypedDict, cast

import orjson

from billing.costs import budgets, ledger
from kernel import clock, tracing
from kernel.errors import FrontdeskError, InvalidInput, ProviderError
from kernel.ids import uuid7
from kernel.money import as_text
from tenants.context import TenantRef, acting_as, run_as
from widgets.chat.answering import compose_safely
from widgets.chat.asking import Turn
from widgets.chat.composing import Composition
from widgets.chat.hub import hub
from widgets.chat.messages import Citation, MessageObject, as_rfc3339
from widgets.chat.protocol import ServerDelta, ServerFrame
from widgets.chat.replying import Draft
from widgets.chat.reporting import report
from widgets.models import Personality

FEATURE: Final = "answers"


class AnswerRefused(FrontdeskError):
    """A hard-capped budget has no room for an answer."""

    code = "budget_reached"


class UsageObject(TypedDict):
    """Tokens of the model's call."""

    input_tokens: int
    output_tokens: int
    cached_tokens: int
    estimated: bool


class AnswerObject(TypedDict):
    """An answer as the API gives it. `cost_usd` is null where a price is unknown."""

    answer: str
    abstained: bool
    confidence: float
    citations: list[Citation]
    usage: UsageObject
    cost_usd: str | None


@dataclass(frozen=True, slots=True)
class Question:
    """What a program asks; `history` oldest first. `draft` is a personality that is not saved, tried out by its
    owner: it speaks instead of any other."""

    question: str
    history: Sequence[Turn] = ()
    personality_id: uuid.UUID | None = None
    draft: Personality | None = None


def refuse_unknown(tenant: TenantRef, question: Question) -> None:
    """Raise InvalidInput, naming `personality`, for one that is not an active personality of the tenant's."""
    if question.personality_id is None:
        return
    with acting_as(tenant):
        if not Personality.objects.filter(pk=question.personality_id, is_active=True).exists():
            raise InvalidInput.of(
                "personality", "must be the id of one of your active personalities, or null"
            )


async def answer_once(tenant: TenantRef, question: Question) -> AnswerObject:
    """The whole answer. Raises AnswerRefused or ProviderError; what was used is booked first."""
    work = _composition(tenant, question, lambda text: None)
    draft, cost = await _finish(work)
    if work.failure is not None:
        raise work.failure
    if draft.metadata["event"] == "budget_reached":
        raise AnswerRefused("There is no room for an answer in a budget with a hard cap.")
    if draft.metadata["event"] == "model_unavailable":
        raise ProviderError("the model broke off", provider=work.model_name, retryable=True)
    return _as_object(work, draft, cost)


async def answer_frames(tenant: TenantRef, question: Question) -> AsyncIterator[bytes]:
    """The answer as server-sent events, each a frame of the socket's: start, deltas, message.

    The answer is made by a task of its own: a caller who hangs up stops reading it, not paying for it.
    """
    pieces: asyncio.Queue[str | None] = asyncio.Queue()
    work = _composition(tenant, question, pieces.put_nowait)
    done: asyncio.Future[tuple[Draft, Decimal | None]] = asyncio.get_running_loop().create_future()
    hub().spawn(_finish_into(work, done, pieces))
    message_id, offset = str(work.purpose_id), 0
    yield _sse({"type": "start", "message_id": message_id})
    while (text := await pieces.get()) is not None:
        delta: ServerDelta = {"type": "delta", "message_id": message_id, "offset": offset, "text": text}
        offset += len(text)
        yield _sse(delta)
    draft, cost = await done
    yield _sse({"type": "message", "message": _as_message(work, draft, cost)})


def _composition(tenant: TenantRef, question: Question, say: Any) -> Composition:
    return Composition(
        tenant,
        question.question,
        question.history,
        say,
        uuid7(),
        feature=FEATURE,
        personality_id=question.personality_id,
        draft=question.draft,
    )


async def _finish(work: Composition) -> tuple[Draft, Decimal | None]:
    # Shielded: a caller who hangs up must not keep what was spent from being booked.
    with tracing.span("answer"):
        draft = await asyncio.shield(asyncio.ensure_future(compose_safely(work)))
        with tracing.span("commit answer") as span:
            cost = await asyncio.shield(
                asyncio.ensure_future(run_as(work.tenant, _book, work.purpose_id, draft))
            )
            span.set(frontdesk__cost_usd=None if cost is None else float(cost))
    report(work, draft, via="api", cost=cost)
    return draft, cost


async def _finish_into(
    work: Composition,
    done: "asyncio.Future[tuple[Draft, Decimal | None]]",
    pieces: "asyncio.Queue[str | None]",
) -> None:
    try:
        outcome = await _finish(work)
        if not done.cancelled():
            done.set_result(outcome)
    except Exception as error:
        if not done.cancelled():
            done.set_exception(error)
    finally:
        pieces.put_nowait(None)


def _book(purpose_id: uuid.UUID, draft: Draft) -> Decimal | None:
    """Record the costs and give the hold back; what it cost, None where a price is unknown."""
    events = ledger.record(draft.costs)
    known = [event.cost_usd for event in events if event.cost_usd is not None]
    cost = sum(known, Decimal(0)) if len(known) == len(events) else None
    budgets.settle(purpose_id, cost)
    return cost


def _as_object(work: Composition, draft: Draft, cost: Decimal | None) -> AnswerObject:
    usage = work.usage
    return {
        "answer": draft.text,
        "abstained": bool(draft.metadata["abstained"]),
        "confidence": draft.metadata["confidence"] or 0.0,
        "citations": draft.citations,
        "usage": {
            "input_tokens": usage.input_tokens if usage else 0,
            "output_tokens": usage.output_tokens if usage else 0,
            "cached_tokens": usage.cached_tokens if usage else 0,
            "estimated": usage.estimated if usage else False,
        },
        "cost_usd": as_text(cost) if cost is not None else None,
    }


def _as_message(work: Composition, draft: Draft, cost: Decimal | None) -> MessageObject:
    """The message object of an answer that belongs to no session; its metadata has what the plain answer has."""
    told = _as_object(work, draft, cost)
    return {
        "id": str(work.purpose_id),
        "session": "",
        "seq": 0,
        "role": "assistant",
        "author": None,
        "content": draft.text,
        "attachments": [],
        "citations": draft.citations,
        "status": cast(Literal["complete", "interrupted", "failed"], draft.status),
        "client_id": None,
        "event": draft.metadata["event"],
        "metadata": {**draft.metadata, "usage": told["usage"], "costUsd": told["cost_usd"]},
        "timestamp": as_rfc3339(clock.now()),
    }


def _sse(frame: ServerFrame) -> bytes:
    return b"event: " + frame["type"].encode() + b"\ndata: " + orjson.dumps(frame) + b"\n\n"
