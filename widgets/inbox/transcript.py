"""A conversation as its tenant's people read it: who said what, on what grounds, how fast, at what cost."""

import uuid
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, Final

from django.utils.safestring import SafeString

from billing.costs.models import CostEvent, Service
from tenants.administration import dollars, words
from widgets.chat.messages import MessageObject, listed
from widgets.inbox.formatting import as_html
from widgets.models import Message

MAX_TURNS: Final = 500
# What a system message says, by its event: of a person, and where nobody is named.
SAID: Final = {
    "waiting": ("asked for a person", "The visitor asked for a person"),
    "taken_over": ("took over", "A person took over"),
    "assigned": ("changed who looks after it", "Who looks after it was changed"),
    "released": ("gave it back to the AI", "It was given back to the AI"),
    "ended": ("ended the conversation", "The conversation ended"),
}
ENDED_BY: Final = {"visitor": "The visitor ended it", "idle": "It ended after a day without a word"}
# What is marked beside an answer, by its event.
MARKS: Final = {
    "abstained": "unanswered",
    "budget_reached": "budget reached",
    "model_unavailable": "model unavailable",
    "interrupted": "interrupted",
}


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `cost` is empty where nothing was paid for it; `is_unpriced` says that a price is unknown."""

    message: MessageObject
    speaker: str
    at: datetime | None
    mark: str
    told: str
    facts: list[tuple[str, str]]
    cost: str
    is_unpriced: bool

    @property
    def html(self) -> SafeString | None:
        """What the AI or a colleague wrote, formatted; None for a visitor's words, which are shown as they are."""
        return as_html(self.message["content"]) if self.message["role"] == "assistant" else None

    @property
    def is_abstention(self) -> bool:
        """Whether the AI said that it does not know."""
        return bool(self.message["event"] == "abstained")


@dataclass(frozen=True, slots=True)
class Spend:
    """What one service and model cost in a conversation."""

    service: str
    model: str
    events: int
    tokens: int
    cost: str
    is_unpriced: bool


@dataclass(frozen=True, slots=True)
class Transcript:
    """The last MAX_TURNS messages in order, and what all of the conversation cost."""

    turns: list[Turn]
    spend: list[Spend]
    left_out: int

    @property
    def unanswered(self) -> int:
        """How often the AI did not know."""
        return sum(turn.is_abstention for turn in self.turns)


def transcript(session_id: uuid.UUID, visitor: str, *, with_costs: bool = True) -> Transcript:
    """The conversation of the acting tenant with this id; empty where there is none. Three queries at most."""
    newest = Message.objects.filter(session_id=session_id).order_by("-seq")
    messages = list(reversed(listed(newest[:MAX_TURNS], for_visitor=False)))
    costs, unpriced, spend = _costs(session_id) if with_costs else ({}, set(), [])
    turns = [
        Turn(
            message=message,
            speaker=_speaker(message, visitor),
            at=datetime.fromisoformat(message["timestamp"]),
            mark=_mark(message),
            told=_told(message) if message["role"] == "system" else "",
            facts=_facts(message["metadata"]) if message["role"] == "assistant" else [],
            cost=dollars(costs[message["id"]]) if message["id"] in costs else "",
            is_unpriced=message["id"] in unpriced,
        )
        for message in messages
    ]
    return Transcript(turns, spend, left_out=messages[0]["seq"] - 1 if messages else 0)


def _costs(session_id: uuid.UUID) -> tuple[dict[str, Decimal], set[str], list[Spend]]:
    by_message: dict[str, Decimal] = defaultdict(Decimal)
    unpriced: set[str] = set()
    by_model: dict[tuple[str, str], list[tuple[int, Decimal | None]]] = defaultdict(list)
    columns = ("message_id", "service", "provider", "model", "tokens_used", "cost_usd")
    for message_id, service, provider, model, tokens, cost in CostEvent.objects.filter(
        session_id=session_id
    ).values_list(*columns):
        by_model[Service(service).label, f"{provider}:{model}"].append((tokens, cost))
        if message_id and cost is None:
            unpriced.add(str(message_id))
        elif message_id:
            by_message[str(message_id)] += cost
    spend = [
        Spend(
            service=service.capitalize(),
            model=model,
            events=len(calls),
            tokens=sum(tokens for tokens, _ in calls),
            cost=dollars(sum((cost for _, cost in calls if cost is not None), Decimal(0))),
            is_unpriced=any(cost is None for _, cost in calls),
        )
        for (service, model), calls in sorted(by_model.items())
    ]
    return dict(by_message), unpriced, spend


def _speaker(message: MessageObject, visitor: str) -> str:
    if message["author"]:
        return message["author"]["name"] or "A colleague"
    return {"user": visitor, "assistant": "AI", "system": ""}[message["role"]]


def _mark(message: MessageObject) -> str:
    event = message["event"]
    if message["role"] == "assistant" and event:
        return MARKS.get(event, words(event))
    return words(message["status"]) if message["status"] != "complete" else ""


def _told(message: MessageObject) -> str:
    event = message["event"] or ""
    by_person, by_nobody = SAID.get(event, (words(event), words(event).capitalize()))
    author, reason = message["author"], message["metadata"].get("reason")
    told = f"{author['name'] or 'A colleague'} {by_person}" if author else by_nobody
    if event == "ended" and reason in ENDED_BY and not author:
        told = ENDED_BY[reason]
    return f"{told}: “{reason}”" if event == "waiting" and reason else told


def _facts(metadata: dict[str, Any]) -> list[tuple[str, str]]:
    """How an answer came about: its model, first words, tokens, personality and confidence, as far as known."""
    told = []
    if metadata.get("model"):
        told.append(("model", str(metadata["model"])))
    if isinstance(metadata.get("firstTokenMs"), int):
        told.append(("first token", f"{metadata['firstTokenMs']:,} ms"))
    if metadata.get("tokensUsed"):
        told.append(("tokens", f"{metadata['tokensUsed']:,}"))
    if metadata.get("personalityVersion"):
        told.append(("personality", f"version {metadata['personalityVersion']}"))
    if isinstance(metadata.get("confidence"), float):
        told.append(("confidence", f"{metadata['confidence']:.0%}"))
    return told
