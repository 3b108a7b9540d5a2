"""A month that the demo's companies already have behind them: conversations and what they cost."""

import random
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Final

from django.utils import timezone

from ai.usage import Usage
from billing.costs import ledger
from billing.costs.ledger import NewCostEvent
from kernel.ids import uuid7
from tenants.context import require_tenant
from widgets.chat import asking, replying
from widgets.chat.replying import Draft
from widgets.chat.visiting import Guest
from widgets.models import Message, MessageStatus, Session, SessionStatus, Widget

DAYS: Final = 30
SESSIONS_A_DAY: Final = 2
# What the month is told to have run on, so that the cost pages have something to show; public list prices apply.
MODEL: Final = ("openai", "gpt-4o-mini")
THANKS: Final = (
    "Thanks for asking! You will find the steps in our help pages, and I am here if anything is unclear."
)


def invent(seed: str, widget: Widget, questions: Sequence[str]) -> None:
    """Past sessions of the acting tenant, `SESSIONS_A_DAY` for each of the last `DAYS` days, with their cost events."""
    chance = random.Random(seed)  # noqa: S311 - the same month on every install, no secret
    for day in range(DAYS, 0, -1):
        for _ in range(SESSIONS_A_DAY):
            moment = timezone.now() - timedelta(days=day, minutes=chance.randrange(24 * 60 - 10))
            _conversation(widget, moment, chance.choice(questions), chance)


def _conversation(widget: Widget, moment: datetime, question: str, chance: random.Random) -> None:
    guest = Guest(require_tenant(), widget.pk, uuid7())
    asked = asking.ask(guest, uuid7(), question, metadata={"page": "demo"})
    assert asked.run is not None
    usage = Usage(input_tokens=chance.randrange(900, 2600), output_tokens=chance.randrange(60, 320))
    latency = chance.randrange(600, 2600)
    event = NewCostEvent(
        service="llm",
        provider=MODEL[0],
        model=MODEL[1],
        feature="chat",
        usage=usage,
        session_id=asked.session_id,
        message_id=asked.run.message_id,
        latency_ms=latency,
        idempotency_key=f"demo:{asked.run.id}",
        timestamp=moment,
    )
    answered = chance.random() < 0.9
    draft = Draft(
        THANKS if answered else "I don't know.",
        MessageStatus.COMPLETE,
        metadata={
            "event": None if answered else "abstained",
            "abstained": not answered,
            "model": MODEL[1],
            "latencyMs": latency,
            "firstTokenMs": latency // chance.randrange(3, 7),
        },
    )
    replying.reply(asked.run, draft)
    ledger.record([event])
    _date_back(asked.session_id, moment)


def _date_back(session_id: uuid.UUID, moment: datetime) -> None:
    """What was made a moment ago happened then: only the demo may say so."""
    later = moment + timedelta(seconds=4)
    Message.objects.filter(session_id=session_id, seq=1).update(timestamp=moment, created_at=moment)
    Message.objects.filter(session_id=session_id, seq=2).update(timestamp=later, created_at=later)
    Session.objects.filter(pk=session_id).update(
        created_at=moment, last_message_at=later, status=SessionStatus.ENDED, ended_at=later
    )
