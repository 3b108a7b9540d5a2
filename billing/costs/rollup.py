"""The fold: cost events into the hours, days, weeks and months they belong to, each exactly once, however many write at
the same time.

Every event carries the number of the transaction that wrote it. A fold takes those from the tenant's watermark up to
the oldest transaction that is still running: all of them are committed or gone for good. An id as watermark lost 3,611
of 8,206 events (measured.md section 3). A late event is folded when it comes, into the buckets of its time.

Whatever writes summaries holds the lock of the tenant's watermark, which is taken before all others: watermark, then
summaries, then budgets. It commits as one transaction, so readers see the sums of before or those of after.
"""

import logging
from datetime import datetime, timedelta
from typing import Any, Final, NamedTuple

from django.db import connection

from billing.costs import budgets
from billing.costs.models import CostSummary, RollupWatermark
from billing.costs.statements import composed
from billing.costs.timezones import tenant_timezone
from kernel import clock
from tenants.context import require_tenant

# Which buckets and columns a fold makes. Summaries of an older layout are made anew by the next fold.
LAYOUT: Final = 1
FROM_THE_BEGINNING: Final = 0
# PostgreSQL's FrozenTransactionId, before every other: what a restored event's number becomes (`rebase`).
BEFORE_ALL: Final = 2
TO_THE_END: Final = 2**64 - 1
ALWAYS: Final = "-infinity"
# Budgets count the running period anew from the ledger: the month, and the week that began before it.
KEPT_FOR_BUDGETS: Final = timedelta(days=40)

logger = logging.getLogger(__name__)


class Fold(NamedTuple):
    """What a fold left to do: `was_busy`, another one was at it; `is_pending`, events of running transactions wait."""

    was_busy: bool = False
    is_pending: bool = False


class RestoredDatabase(RuntimeError):
    """The tables came from another cluster, whose transaction numbers mean nothing here; `rollup --rebase` mends it."""


def fold() -> Fold:
    """Fold the acting tenant's new events. Leaves at once where another fold of it is running.

    Where the tenant's time zone, or the layout, is another than its summaries were made in, all of them are made anew,
    and in a new zone budgets too. Raises RestoredDatabase when the watermark was made by another cluster.
    """
    mark = locked_watermark(wait=False)
    if mark is None:
        return Fold(was_busy=True)
    if mark.cluster != _cluster():
        raise RestoredDatabase(
            f"tenant {require_tenant().id} was restored from another cluster: run rollup --rebase"
        )
    zone = tenant_timezone()
    if mark.timezone == zone and mark.layout == LAYOUT:
        return Fold(is_pending=_add(_values(mark, zone, from_xid=mark.folded_to)))
    is_pending = _make_anew(mark, zone)
    if mark.timezone != zone:
        budgets.refresh(recount=True)
    return Fold(is_pending=is_pending)


def rebuild_summaries(since: datetime | None = None) -> None:
    """Make the acting tenant's summaries anew from its ledger: all, or those of buckets that begin at or after `since`.
    Final sums stand as they are. Waits for a running fold.

    Readers see the old sums until the caller's transaction commits, and all of the new ones after it.
    """
    mark = locked_watermark(wait=True)
    assert mark is not None, "made where there was none"
    zone = tenant_timezone()
    if since is None or mark.timezone != zone or mark.layout != LAYOUT:
        _make_anew(mark, zone)
        return
    CostSummary.objects.filter(is_final=False, period_start__gte=since).delete()
    again_from = max(since, mark.final_before) if mark.final_before else since
    folded = _values(mark, zone, from_xid=FROM_THE_BEGINNING)
    _add(folded | {"to_xid": str(mark.folded_to), "again_from": again_from, "since": since})
    _add(_values(mark, zone, from_xid=mark.folded_to))


def finalise(before: datetime) -> None:
    """Make the sums over the acting tenant's events before `before` final, so that these events may be deleted: those
    of transactions before the watermark's `folded_to`. What was final stays so. For retention.

    Raises ValueError where `before` is less than 40 days ago: budgets still count those events.
    """
    if before > clock.now() - KEPT_FOR_BUDGETS:
        raise ValueError(f"before must be at least {KEPT_FOR_BUDGETS.days} days ago, not {before}")
    mark = locked_watermark(wait=True)
    assert mark is not None, "made where there was none"
    if mark.final_before and mark.final_before >= before:
        return
    _make_anew(mark, tenant_timezone(), final_before=before)
    RollupWatermark.objects.filter(pk=mark.pk).update(final_before=before)


def rebase() -> bool:
    """Make the acting tenant's watermark belong to this cluster, and its summaries be of this layout; False when they
    do and are. For the tables' owner only: the application may not change an event.

    A dump restored elsewhere keeps the old numbers, and the new cluster will count up to them again. So every event
    that is here gets a number before all others; one written meanwhile has its true number and is folded as usual.
    """
    mark = locked_watermark(wait=True)
    assert mark is not None, "made where there was none"
    if mark.cluster == _cluster():
        if mark.layout == LAYOUT:
            return False
        rebuild_summaries()
        return True
    with connection.cursor() as cursor:
        if mark.final_before:
            # Late for final sums and not folded yet: as if written now.
            late = (
                "UPDATE cost_events SET xid = pg_current_xact_id() WHERE xid >= %s::xid8 AND timestamp < %s"
            )
            cursor.execute(late, [str(mark.folded_to), mark.final_before])
        cursor.execute(
            "UPDATE cost_events SET xid = %s::xid8 "
            "WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()) AND xid <> pg_current_xact_id()",
            [str(BEFORE_ALL)],
        )
        cursor.execute("SELECT pg_snapshot_xmin(pg_current_snapshot())::text")
        (horizon,) = cursor.fetchone()
    RollupWatermark.objects.filter(pk=mark.pk).update(cluster=_cluster(), folded_to=int(horizon))
    rebuild_summaries()
    return True


def locked_watermark(*, wait: bool) -> RollupWatermark | None:
    """The acting tenant's watermark under its row's lock, made where it has none; None when it is locked elsewhere and
    we do not `wait`.

    The lock comes before the statement that folds, so that this statement's snapshot is taken by its only holder.
    """
    marks = RollupWatermark.objects.select_for_update(skip_locked=not wait)
    mark = marks.first()
    if mark is None and not RollupWatermark.objects.exists():
        first = RollupWatermark(
            folded_to=FROM_THE_BEGINNING, cluster=_cluster(), timezone=tenant_timezone(), layout=LAYOUT
        )
        RollupWatermark.objects.bulk_create([first], ignore_conflicts=True)
        mark = marks.first()
    return mark


def folded_events(mark: RollupWatermark) -> dict[str, Any]:
    """The values with which cost_buckets.sql sums again what the summaries that are not final hold."""
    return _values(mark, mark.timezone, from_xid=FROM_THE_BEGINNING) | {"to_xid": str(mark.folded_to)}


def _make_anew(mark: RollupWatermark, zone: str, *, final_before: datetime | None = None) -> bool:
    """All sums that are not final, from the whole ledger; those before `final_before` become so."""
    CostSummary.objects.filter(is_final=False).delete()
    values = _values(mark, zone, from_xid=FROM_THE_BEGINNING)
    if final_before:
        values["final_before"] = final_before
    return _add(values)


def _values(mark: RollupWatermark, zone: str, *, from_xid: int) -> dict[str, Any]:
    """For cost_buckets.sql: new events from `from_xid` on, folded ones from there on too where they are not final."""
    final_before = mark.final_before or ALWAYS
    return {
        "tenant": require_tenant().id,
        "zone": zone,
        "from_xid": str(from_xid),
        "to_xid": str(TO_THE_END),
        "folded_to": str(mark.folded_to),
        "again_from": final_before,
        "final_before": final_before,
        "since": ALWAYS,
    }


def _add(values: dict[str, Any]) -> bool:
    """Whether events of running transactions wait."""
    with connection.cursor() as cursor:
        # The planner's statistics know nothing of new transactions: it expects one row, and would sort all by their
        # texts rather than hash them, which takes twice as long.
        cursor.execute("SET LOCAL enable_sort = off")
        cursor.execute(composed("fold_cost_events"), {**values, "layout": LAYOUT})
        is_pending, unpriced = cursor.fetchone()
        cursor.execute("SET LOCAL enable_sort = DEFAULT")
    if unpriced > 0 and values["from_xid"] == values["folded_to"]:
        logger.warning(
            "tenant %s: %d new cost events have no price; manage.py prices and rerate mend it",
            values["tenant"],
            unpriced,
        )
    return bool(is_pending)


def _cluster() -> int:
    """Which cluster this is. Its timeline would say too much: it changes with every failover, where numbers go on."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT system_identifier FROM pg_control_system()")
        (identifier,) = cursor.fetchone()
    return int(identifier)
