"""The fold: cost events into hour and day summaries, each exactly once, however many write at the same time.

Every event carries the number of the transaction that wrote it. A fold takes those from the tenant's watermark up to
the oldest transaction that is still running: all of them are committed or gone for good. An id as watermark lost 3,611
of 8,206 events (measured.md section 3). A late event is folded when it comes, into the bucket of its time.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection

from billing.costs import budgets
from billing.costs.models import CostSummary, RollupWatermark
from billing.costs.statements import statement
from billing.costs.timezones import tenant_timezone
from tenants.context import require_tenant

FROM_THE_BEGINNING: Final = 0
# PostgreSQL's FrozenTransactionId, before every other: what a restored event's number becomes (`rebase`).
BEFORE_ALL: Final = 2


class Fold(NamedTuple):
    """What a fold left to do: `was_busy`, another one was at it; `is_pending`, events of running transactions wait."""

    was_busy: bool = False
    is_pending: bool = False


class Difference(NamedTuple):
    """A bucket whose summary is not the sum of its events."""

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


class RestoredDatabase(RuntimeError):
    """The tables came from another cluster, whose transaction numbers mean nothing here; `rollup --rebase` mends it."""


def fold() -> Fold:
    """Fold the acting tenant's new events. Leaves at once where another fold of it is running.

    Raises RestoredDatabase when the watermark was made by another cluster.
    """
    mark = _locked_watermark(wait=False)
    if mark is None:
        return Fold(was_busy=True)
    if mark.cluster != _cluster():
        raise RestoredDatabase(
            f"tenant {require_tenant().id} was restored from another cluster: run rollup --rebase"
        )
    zone = tenant_timezone()
    if mark.timezone != zone:
        # Its days begin at another hour now: cut all of them anew.
        CostSummary.objects.all().delete()
        budgets.refresh(recount=True)
        return Fold(is_pending=_fold_from(FROM_THE_BEGINNING, zone))
    return Fold(is_pending=_fold_from(mark.folded_to, zone))


def rebuild_summaries() -> None:
    """Throw the acting tenant's summaries away and fold its whole ledger again. Waits for a running fold."""
    _locked_watermark(wait=True)
    CostSummary.objects.all().delete()
    _fold_from(FROM_THE_BEGINNING, tenant_timezone())


def rebase() -> bool:
    """Make the acting tenant's watermark belong to this cluster; False when it does already. For the tables' owner
    only: the application may not change an event.

    A dump restored elsewhere keeps the old numbers, and the new cluster will count up to them again. So every event
    that is here gets a number before all others; one written meanwhile has its true number and is folded as usual.
    """
    mark = _locked_watermark(wait=True)
    if mark is None or mark.cluster == _cluster():
        return False
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE cost_events SET xid = %s::xid8 WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())",
            [str(BEFORE_ALL)],
        )
    RollupWatermark.objects.filter(pk=mark.pk).update(cluster=_cluster())
    rebuild_summaries()
    return True


def reconcile() -> list[Difference]:
    """Buckets of the acting tenant whose summary is not the sum of its folded events; empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(statement("unequal_summaries"))
        return [Difference(*row) for row in cursor.fetchall()]


def _fold_from(folded_to: int, zone: str) -> bool:
    values: dict[str, Any] = {"folded_to": str(folded_to), "zone": zone, "tenant": require_tenant().id}
    with connection.cursor() as cursor:
        cursor.execute(statement("fold_cost_events"), values)
        (is_pending,) = cursor.fetchone()
    return bool(is_pending)


def _locked_watermark(*, wait: bool) -> RollupWatermark | None:
    """The acting tenant's watermark under its row's lock, made where it has none; None when it is locked elsewhere.

    The lock comes before the statement that folds, so that this statement's snapshot is taken by its only holder.
    """
    marks = RollupWatermark.objects.select_for_update(skip_locked=not wait)
    mark = marks.first()
    if mark is None and not RollupWatermark.objects.exists():
        RollupWatermark.objects.bulk_create(
            [RollupWatermark(folded_to=FROM_THE_BEGINNING, cluster=_cluster(), timezone=tenant_timezone())],
            ignore_conflicts=True,
        )
        mark = marks.first()
    return mark


def _cluster() -> int:
    """Which cluster this is. Its timeline would say too much: it changes with every failover, where numbers go on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier FROM pg_control_system()")
        (identifier,) = cursor.fetchone()
    return int(identifier)
