"""The detail of old costs: events go, their sums stay. Only the tables' owner may delete from the ledger.

An event is old when its tenant's conversations of that day are, and at least KEPT_AT_LEAST: budgets count the running
month from events. The sums over old events are made final first (`rollup.finalise`). An event of a conversation that
is still there stays with it, so that what a conversation cost is the sum of its events; and one that is corrected by
an event that stays, stays.
"""

import logging
import time
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import DatabaseError, connection

from billing.costs import rollup
from billing.costs.models import RollupWatermark
from billing.costs.statements import statement
from kernel import clock
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants
from tenants.maintaining import Report
from tenants.models import Tenant
from tenants.owner import owner_connection
from tenants.retention import kept_for

KEPT_AT_LEAST: Final = rollup.KEPT_FOR_BUDGETS + timedelta(days=1)
EVERY_S: Final = 3_600.0
BATCH: Final = 5_000

logger = logging.getLogger(__name__)
_looked_at = float("-inf")


def old_events(tenant: TenantRef) -> int:
    """How many events would be deleted now. Opens its own context."""
    with acting_as(tenant):
        before = _before(tenant)
        mark = RollupWatermark.objects.first()
        return _count(before, mark) if before and mark else 0


def delete_old_events(tenant: TenantRef) -> int:
    """Delete the tenant's old events, some thousands in a transaction; how many. As the owner (`owner_connection`)."""
    with acting_as(tenant):
        before = _before(tenant)
        mark = RollupWatermark.objects.first()
        if not before or not mark or not _count(before, mark):
            return 0
        rollup.finalise(before)
    gone = 0
    while True:
        with acting_as(tenant), connection.cursor() as cursor:
            # Held, so that no fold or rebuild sums up events that are about to go.
            held = rollup.locked_watermark(wait=True)
            assert held is not None, "made where there was none"
            cursor.execute(statement("delete_old_events"), {**_values(before, held), "limit": BATCH})
            deleted: int = cursor.rowcount
        gone += deleted
        if not deleted:
            return gone


def delete_old_events_of_everybody(report: Report) -> None:
    """maintain's part, once an hour."""
    global _looked_at
    if time.monotonic() - _looked_at < EVERY_S:
        return
    _looked_at = time.monotonic()
    for tenant in list(all_tenants()):
        try:
            with owner_connection():
                gone = delete_old_events(tenant)
                if gone:
                    with acting_as(tenant):
                        slug = Tenant.objects.values_list("slug", flat=True).get(pk=tenant.id)
                    report(f"{slug}: {gone:,} old cost events deleted, their sums stay")
        except DatabaseError:
            logger.exception("old cost events of tenant %s are deleted another time", tenant.id)


def _before(tenant: TenantRef) -> datetime | None:
    """Events before this are old; None where the tenant keeps all. By the day, so that sums are made final once a
    day."""
    kept = kept_for(tenant)
    if kept is None:
        return None
    moment = clock.now() - max(kept, KEPT_AT_LEAST)
    return moment.replace(hour=0, minute=0, second=0, microsecond=0)


def _count(before: datetime, mark: RollupWatermark) -> int:
    with connection.cursor() as cursor:
        cursor.execute(statement("count_old_events"), _values(before, mark))
        return int(cursor.fetchone()[0])


def _values(before: datetime, mark: RollupWatermark) -> dict[str, Any]:
    return {"before": before, "folded_to": str(mark.folded_to)}
