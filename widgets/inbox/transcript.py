"""A conversation as its tenant's people read it: who said what, on what grounds, at what cost."""

import uuid
from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from billing.costs.models import CostEvent
from tenants.administration import dollars
from widgets.chat.messages import MessageObject, listed
from widgets.models import Message

MAX_TURNS: Final = 500


@dataclass(frozen=True, slots=True)
class Turn:
    """One message. `cost` is empty where nothing was paid for it; `is_unpriced` says that a price is unknown."""

    message: MessageObject
    speaker: str
    at: Any
    cost: str
    is_unpriced: bool


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


def transcript(session_id: uuid.UUID, visitor: str) -> Transcript:
    """The conversation of the acting tenant with this id; empty where there is none."""
    newest = Message.objects.filter(session_id=session_id).order_by("-seq")
    messages = list(reversed(listed(newest[:MAX_TURNS], for_visitor=False)))
    times = dict(newest[:MAX_TURNS].values_list("seq", "timestamp"))
    costs, unpriced, spend = _costs(session_id)
    turns = [
        Turn(
            message=message,
            speaker=_speaker(message, visitor),
            at=times.get(message["seq"]),
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
        by_model[service, f"{provider}:{model}"].append((tokens, cost))
        if message_id and cost is None:
            unpriced.add(str(message_id))
        elif message_id:
            by_message[str(message_id)] += cost
    spend = [
        Spend(
            service=service,
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
    return {"user": visitor, "assistant": "AI", "system": "System"}[message["role"]]
