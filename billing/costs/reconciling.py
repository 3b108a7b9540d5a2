"""Is everything that is derived from the ledger what the ledger says? Summaries, sessions' costs and budgets."""

import uuid
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from django.db import connection

from billing.costs import budgets, rollup
from billing.costs.budgets import Imbalance
from billing.costs.statements import composed, statement


class Difference(NamedTuple):
    """A bucket whose summary is not the sum of its events. Cost and count may be equal where tokens, latencies or
    another sum is not."""

    period: str
    period_start: datetime
    service: str
    provider: str
    model: str
    feature: str
    total_cost_usd: Decimal | None
    expected_cost_usd: Decimal | None
    event_count: int | None
    expected_event_count: int | None


class SessionDifference(NamedTuple):
    """A session whose cost is not the sum of its events."""

    session_id: uuid.UUID
    cost_usd: Decimal
    expected_cost_usd: Decimal


class Findings(NamedTuple):
    """What is wrong with a tenant's books; empty and false when all is well."""

    summaries: list[Difference]
    sessions: list[SessionDifference]
    budgets: list[Imbalance]

    def __bool__(self) -> bool:
        return any(self)

    def lines(self) -> Iterator[str]:
        """Each of them for people to read."""
        for bucket in self.summaries:
            name = " ".join(
                filter(None, (bucket.service, f"{bucket.provider}:{bucket.model}", bucket.feature))
            )
            yield (
                f"{bucket.period} of {bucket.period_start:%Y-%m-%d %H:%M} UTC, {name}: "
                f"${_or_none(bucket.total_cost_usd)} of {_or_none(bucket.event_count)} events in the summary, "
                f"${_or_none(bucket.expected_cost_usd)} of {_or_none(bucket.expected_event_count)} in the ledger"
            )
        for session in self.sessions:
            yield f"session {session.session_id}: ${session.cost_usd}, ${session.expected_cost_usd} in the ledger"
        for budget in self.budgets:
            yield (
                f"budget {budget.budget_id}: ${budget.spent} spent, ${budget.expected_spent} in the ledger; "
                f"${budget.reserved} held back, ${budget.expected_reserved} in its holds"
            )


def reconcile() -> Findings:
    """Compare the acting tenant's books with its ledger, as far as it is folded and its events are kept."""
    mark = rollup.locked_watermark(wait=True)
    assert mark is not None, "made where there was none"
    with connection.cursor() as cursor:
        cursor.execute(composed("unequal_summaries"), rollup.folded_events(mark))
        summaries = [Difference(*row) for row in cursor.fetchall()]
        cursor.execute(statement("unequal_sessions"), {"since": mark.final_before or rollup.ALWAYS})
        sessions = [SessionDifference(*row) for row in cursor.fetchall()]
    return Findings(summaries, sessions, budgets.reconcile())


def repair(found: Findings) -> None:
    """Write what was found wrong anew from the ledger, in the transaction of `reconcile`."""
    if found.summaries:
        rollup.rebuild_summaries()
    if found.sessions:
        ids = [session.session_id for session in found.sessions]
        with connection.cursor() as cursor:
            # An event adds to its session under this lock: once we have it, every event that was added is seen.
            cursor.execute("SELECT FROM sessions WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [ids])
            cursor.execute(statement("mend_sessions"), {"ids": ids})
    if found.budgets:
        budgets.refresh(recount=True)


def _or_none(value: object) -> object:
    return "nothing" if value is None else value
