"""Committing an answer: its message, its cost, its hold and its promise, all in one transaction.

Sync, inside `acting_as`. Whoever locks the session first ends the run: the process that made the answer, or the
recovery
that found its lease expired. The other one changes nothing, and what was spent is booked once, by its idempotency key.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from django.db import connection

from billing.costs import budgets, ledger
from billing.costs.ledger import NewCostEvent
from widgets.chat.asking import ANSWER_DUE, Run, lock, next_unanswered, say
from widgets.chat.messages import Citation, MessageObject
from widgets.models import AnswerRun, MessageRole, MessageStatus, RunStatus
from widgets.statements import statement


@dataclass(slots=True)
class Draft:
    """An answer as far as it got, ready to be committed."""

    text: str
    status: MessageStatus
    citations: list[Citation] = field(default_factory=list)
    metadata: dict[str, Any] = field(default_factory=dict)
    costs: Sequence[NewCostEvent] = ()


@dataclass(frozen=True, slots=True)
class Replied:
    """What became of a run: its message (None when somebody else had ended it), and what is to be answered next."""

    message: MessageObject | None
    next_run: Run | None


def reply(run: Run, draft: Draft, *, go_on: bool = True) -> Replied:
    """End `run` with `draft`; with `go_on`, promise an answer to what was said meanwhile."""
    session = lock(run.session_id)
    ours = session is not None and still_running(run.id)
    events = ledger.record(draft.costs) if draft.costs else []
    known = [event.cost_usd for event in events if event.cost_usd is not None]
    spent = sum(known, Decimal(0)) if len(known) == len(events) else None
    budgets.settle(run.id, spent or Decimal(0))
    if session is None or not ours:
        return Replied(None, None)
    if events:
        draft.metadata["costUsd"] = str(spent) if spent is not None else None
    message = say(
        session,
        MessageRole.ASSISTANT,
        draft.text,
        id=run.message_id,
        citations=draft.citations,
        status=draft.status,
        metadata=draft.metadata,
    )
    end_run(run.id, RunStatus.DONE if draft.status == MessageStatus.COMPLETE else RunStatus.INTERRUPTED)
    # Whatever was said while this answer ran has a seq between the question's and ours.
    waiting = message["seq"] > run.question_seq + 1
    return Replied(message, next_unanswered(session.pk) if waiting and go_on else None)


def still_running(run_id: uuid.UUID) -> bool:
    """Whether nobody has ended the run; its session must be locked."""
    return AnswerRun.objects.filter(pk=run_id, status=RunStatus.RUNNING).exists()


def end_run(run_id: uuid.UUID, status: RunStatus) -> None:
    """End a run and the promise to look after it."""
    with connection.cursor() as cursor:
        cursor.execute(statement("end_run"), {"id": run_id, "status": status.value, "kind": ANSWER_DUE})
