"""Committing an answer: its message, its cost, its hold and its promise, all in one transaction.

Sync, inside `acting_as`. Whoever locks the session first ends the run: the process that made the answer, or the
recovery that found its lease expired. The other one changes nothing, and what was spent is booked once, by its
idempotency key.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from django.db import connection
from psycopg.types.json import Jsonb

from billing.costs import ledger
from billing.costs.ledger import NewCostEvent
from tenants.context import require_tenant
from tenants.db.prepared import prepared_cursor
from widgets import events
from widgets.chat.asking import ANSWER_DUE, Run, lock, message_row, next_unanswered
from widgets.chat.messages import Citation, MessageObject, as_message_object
from widgets.models import MessageRole, MessageStatus, RunStatus
from widgets.statements import statement

END_ANSWER: Final = (
    "SELECT given_seq, said_at, public.wants_event(%s) "
    "FROM public.end_answer(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
)


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
    bill = ledger.price(draft.costs)
    if bill:
        draft.metadata["costUsd"] = str(bill.total) if bill.total is not None else None
    message = _end(run, draft)
    # Whatever was said while this answer ran has a seq between the question's and ours.
    waiting = message is not None and message["seq"] > run.question_seq + 1
    next_run = next_unanswered(run.session_id) if waiting and go_on else None
    if bill and message is None and lock(run.session_id) is None:
        # The conversation was erased while the model spoke: what it cost is paid all the same.
        bill = bill.of_nobody()
    # Last: the tenant's budgets stay locked from here to the commit. Also where somebody else has ended the run, for
    # what was used is paid for.
    ledger.write(bill, settling=run.id)
    return Replied(message, next_run)


def _end(run: Run, draft: Draft) -> MessageObject | None:
    """The message that ends the run; None where somebody else has ended it."""
    row = message_row(
        run.message_id,
        run.session_id,
        MessageRole.ASSISTANT,
        draft.text,
        citations=draft.citations,
        status=draft.status.value,
        metadata=draft.metadata,
    )
    ended = RunStatus.DONE if draft.status == MessageStatus.COMPLETE else RunStatus.INTERRUPTED
    values: list[Any] = [
        events.MESSAGE_CREATED.name,
        require_tenant().id, run.id, run.session_id, run.message_id, draft.text, Jsonb(draft.citations),
        draft.status.value, Jsonb(draft.metadata), ended.value, ANSWER_DUE,
    ]  # fmt: skip
    with prepared_cursor() as cursor:
        cursor.execute(END_ANSWER, values)
        row["seq"], row["timestamp"], is_wanted = cursor.fetchone()
    if row["seq"] is None:
        return None
    events.of_message(row, is_wanted=is_wanted)
    return as_message_object(row, for_visitor=True)


def end_run(run_id: uuid.UUID, status: RunStatus) -> None:
    """End a run and the promise to look after it."""
    with connection.cursor() as cursor:
        cursor.execute(statement("end_run"), {"id": run_id, "status": status.value, "kind": ANSWER_DUE})
