"""Making one answer: search, decide whether we know, hold the money, ask the model. Nothing here waits for a provider
inside a transaction."""

import logging
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from django.db import Error as DatabaseError

from ai.chat import (
    Attempt,
    ChatModel,
    ChatRequest,
    Completed,
    TextDelta,
    answering_model,
    attempts_of,
    estimate_usage,
    names_providers,
    refusals_of,
)
from ai.embedding import Embeddings
from ai.usage import Usage
from billing.costs.ledger import NewCostEvent
from kernel import tracing
from kernel.errors import NotFound, ProviderError
from kernel.tracing import Ids
from knowledge import search
from knowledge.paying_embedder import aembedder_of
from knowledge.search import SearchOutcome
from tenants import bringing_keys
from tenants.bringing_keys import PAID_BY_TENANT, OwnKeys
from tenants.context import TenantRef, run_as
from tenants.db.prepared import prepared_cursor
from widgets.chat import grounding, prompt
from widgets.chat.admitting import Allowance
from widgets.chat.affording import Afforded, afford
from widgets.chat.asking import Run, Turn
from widgets.chat.replying import Draft
from widgets.chat.wording import Occasion, words_for
from widgets.models import MessageStatus, Personality

logger = logging.getLogger(__name__)

PASSAGES: Final = 6
CHAT: Final = "chat"

# The columns of a personality that the function `speaker` gives, in its order and in the model's own.
SPEAKS: Final = (
    "id", "system_prompt", "temperature", "max_tokens", "top_p", "frequency_penalty", "presence_penalty",
    "preferred_model", "version",
)  # fmt: skip

Say = Callable[[str], None]


@dataclass(slots=True)
class Composition:
    """One answer in the making: what is asked, what was found, what was said, what was used.

    `purpose_id` names it to budgets and ledger; a chat's is its run's. Without a widget every public document is read,
    and without a personality the widget's or the tenant's default speaks. A `draft` is one that is not saved yet.
    """

    tenant: TenantRef
    question: str
    turns: Sequence[Turn]
    say: Say
    purpose_id: uuid.UUID
    feature: str = CHAT
    widget_id: uuid.UUID | None = None
    personality_id: uuid.UUID | None = None
    draft: Personality | None = None
    # What a visitor's answer may cost; None where one of the tenant's own programs or people asks.
    allowance: Allowance | None = None
    session_id: uuid.UUID | None = None
    message_id: uuid.UUID | None = None
    started: float = field(default_factory=time.monotonic)
    first_text: float | None = None
    text: str = ""
    locale: str | None = None
    found: "LookedUp | None" = None
    embeddings: Embeddings | None = None
    usage: Usage | None = None
    model_name: str = ""
    # Calls that failed before a word was said and are to be paid for.
    attempts: tuple[Attempt, ...] = ()
    failure: ProviderError | None = None
    # The span of each paid call that was made, by service; without ids where nothing is traced.
    traced: dict[str, Ids] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        tenant: TenantRef,
        widget_id: uuid.UUID | None,
        run: Run,
        say: Say,
        allowance: Allowance | None = None,
    ) -> "Composition":
        """The answer to a chat's run."""
        return cls(
            tenant,
            run.question,
            run.history,
            say,
            run.id,
            widget_id=widget_id,
            session_id=run.session_id,
            message_id=run.message_id,
            allowance=allowance,
        )

    def speak(self, text: str) -> None:
        """Say more of the answer."""
        if self.first_text is None:
            self.first_text = time.monotonic()
        self.text += text
        self.say(text)


@dataclass(frozen=True, slots=True)
class LookedUp:
    """What one transaction found out: passages, who speaks, which model, and whether there is money for it."""

    outcome: SearchOutcome
    personality: Personality | None
    model: ChatModel
    request: ChatRequest
    afforded: Afforded | None
    locale: str | None
    keys_refused: frozenset[str] = frozenset()


async def compose(work: Composition) -> Draft:
    """The answer to `work.question`, said through `work.speak` as it comes. Raises no ProviderError: what a failing
    provider leaves is a draft too."""
    allowance = work.allowance
    if allowance is not None and allowance.reached is not None:
        work.locale = allowance.payer.terms.locale
        return declined(work, "cap_reached")
    turns = [{"role": turn.role, "content": turn.content} for turn in work.turns]
    try:
        query = search.prepare(work.question, turns)
        with tracing.span("retrieve") as span:
            work.traced["embedding"] = span.ids
            work.embeddings = await search.embed_query(query, await aembedder_of(work.tenant))
            work.found = found = await run_as(work.tenant, look_up, work, query)
            span.set(
                frontdesk__confidence=found.outcome.confidence, frontdesk__passages=len(found.outcome.results)
            )
    except ProviderError as error:
        work.failure = error
        return declined(work, "model_unavailable")
    work.locale = found.locale
    if not found.outcome.supported:
        return declined(work, "abstained")
    if found.afforded is None:
        return declined(work, "budget_reached")
    if allowance is not None and not await allowance.cover(found.afforded.amount, found.afforded.tokens):
        return declined(work, "cap_reached")
    try:
        with tracing.chat_span(found.model.provider, found.model.model) as span:
            work.traced["llm"] = span.ids
            async for event in found.model.stream(found.request):
                if isinstance(event, TextDelta):
                    work.speak(event.text)
                else:
                    completed(work, event)
                    span.set(
                        gen_ai__response__model=event.model,
                        gen_ai__usage__input_tokens=event.usage.input_tokens,
                        gen_ai__usage__output_tokens=event.usage.output_tokens,
                    )
    except ProviderError as error:
        work.failure, work.attempts = error, attempts_of(error)
        await _note_keys(work)
        return broken_off(work, "model_unavailable")
    await _note_keys(work)
    return finished(work)


async def _note_keys(work: Composition) -> None:
    """Tell the tenant's people whose of their own keys were refused, or work again; nothing where nothing changed."""
    assert work.found is not None
    model, refused = work.found.model, work.found.keys_refused
    try:
        if refusals := refusals_of(model, work.failure):
            await run_as(work.tenant, bringing_keys.note_refusals, refusals)
        elif work.failure is None and model.own_key and model.provider in refused:
            await run_as(work.tenant, bringing_keys.note_accepted, [model.provider])
    except DatabaseError:
        # The answer is worth more than the mark.
        logger.exception("answer %s: what became of a key could not be noted", work.purpose_id)


def look_up(work: Composition, query: str) -> LookedUp:
    """One transaction before the model is asked: passages, personality, and the hold as its last statement, so that the
    budget's row is locked for no longer than a commit."""
    assert work.embeddings is not None
    speaker = _speaker(work)
    outcome = search.find(
        query, work.embeddings, limit=PASSAGES, collections=speaker.collections, question=work.question
    )
    personality = work.draft or speaker.personality
    preferred = personality.preferred_model if personality else ""
    # Nobody's key matters to a model of our own: no look at them then.
    keys = bringing_keys.own_keys() if names_providers(preferred) else OwnKeys()
    model = answering_model(preferred, keys.configuration)
    request = prompt.build(personality, work.question, work.turns, outcome.results)
    afforded = afford(work.purpose_id, model, request) if outcome.supported else None
    asked = afforded.model if afforded else model
    return LookedUp(outcome, personality, asked, request, afforded, speaker.locale, keys.refused)


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who answers, from which collections (none: all of them) and in which language."""

    personality: Personality | None
    collections: Sequence[str]
    locale: str | None


def _speaker(work: Composition) -> Speaker:
    """The speaker of an answer, in one statement. Raises NotFound where the personality asked for is not there."""
    with prepared_cursor() as cursor:
        cursor.execute("SELECT * FROM public.speaker(%s, %s)", [work.widget_id, work.personality_id])
        collections, locale, *values = cursor.fetchone()
    personality = Personality.from_db(None, SPEAKS, values) if values[0] is not None else None
    if personality is None and work.personality_id is not None:
        raise NotFound(f"There is no active personality {work.personality_id}.")
    return Speaker(personality, collections or (), locale or None)


def completed(work: Composition, event: Completed) -> None:
    """The model has said all."""
    work.usage, work.model_name, work.attempts = event.usage, event.model, event.failed


def finished(work: Composition) -> Draft:
    """A whole answer; one that nothing supports is an abstention, whatever the model made of it."""
    assert work.found is not None
    citations = grounding.cite(work.text, work.found.outcome.results)
    event = None if citations else "abstained"
    return _draft(work, MessageStatus.COMPLETE, event, citations=citations)


def declined(work: Composition, occasion: Occasion) -> Draft:
    """No model's answer: our own words, said like one."""
    work.speak(words_for(occasion, work.locale))
    status = MessageStatus.COMPLETE if occasion == "abstained" else MessageStatus.FAILED
    if occasion != "cap_reached":
        return _draft(work, status, occasion)
    draft = _draft(work, status, "budget_reached")
    draft.metadata["cap"] = work.allowance.reached if work.allowance else None
    return draft


def broken_off(work: Composition, occasion: Occasion) -> Draft:
    """The model failed: what it had said stands, interrupted; where it had said nothing we say why."""
    if not work.text:
        return declined(work, occasion)
    if work.usage is None and work.found is not None:
        work.usage = estimate_usage(work.found.request, work.text)
    citations = grounding.cite(work.text, work.found.outcome.results) if work.found else []
    return _draft(work, MessageStatus.INTERRUPTED, occasion, citations=citations)


def _draft(work: Composition, status: MessageStatus, event: str | None, **fields: Any) -> Draft:
    found, now = work.found, time.monotonic()
    metadata: dict[str, Any] = {
        "event": event,
        "abstained": event == "abstained",
        "confidence": round(found.outcome.confidence, 4) if found else None,
        "model": (work.model_name or found.model.model) if found else None,
        "personalityVersion": found.personality.version if found and found.personality else None,
        "tokensUsed": work.usage.input_tokens + work.usage.output_tokens if work.usage else 0,
        "latencyMs": int((now - work.started) * 1000),
        "firstTokenMs": int(((work.first_text or now) - work.started) * 1000),
    }
    return Draft(work.text, status, metadata=metadata, costs=costs(work), **fields)


def costs(work: Composition) -> list[NewCostEvent]:
    """What the providers are to be paid for so far. Keys are the purpose's: however often this is booked, it counts
    once."""
    events = []
    if work.embeddings is not None:
        used = work.embeddings
        event = _event(work, "embedding", used.provider, used.model, used.usage, used.latency_ms)
        events.append(_paid(event, used.own_key))
    if work.usage is not None and work.found is not None:
        model = work.found.model
        latency = int((time.monotonic() - work.started) * 1000)
        event = _event(work, "llm", model.provider, work.model_name or model.model, work.usage, latency)
        events.append(_paid(event, model.own_key))
    for number, failed in enumerate(work.attempts, 1):
        event = _event(work, "llm", failed.provider, failed.model, failed.usage, None)
        event = replace(event, idempotency_key=f"{event.idempotency_key}:failed:{number}")
        events.append(_paid(event, failed.own_key))
    return events


def _paid(event: NewCostEvent, own_key: bool) -> NewCostEvent:
    return replace(event, metadata=PAID_BY_TENANT) if own_key else event


def _event(
    work: Composition, service: str, provider: str, model: str, usage: Usage, latency_ms: int | None
) -> NewCostEvent:
    trace_id, span_id, parent_span_id = work.traced.get(service, tracing.UNTRACED.ids)
    return NewCostEvent(
        trace_id=trace_id,
        span_id=span_id,
        parent_span_id=parent_span_id,
        service=service,
        provider=provider,
        model=model,
        feature=work.feature,
        usage=usage,
        session_id=work.session_id,
        message_id=work.message_id,
        latency_ms=latency_ms,
        idempotency_key=f"answer:{work.purpose_id}:{service}",
    )
