"""maintain's part: finds the orders and carries them out, one after the other, as the owner.

An order is a row (`VectorIndex`) and a promise (`tenants.due_work`). The promise is kept when the change is done; until
then a later round, or a later maintain, takes it up again. The tenant's role decides, the owner's only changes tables.
"""

import logging
import time
from collections.abc import Callable
from datetime import timedelta
from typing import Final

from django.db import DatabaseError, connection

from kernel.clock import now
from knowledge.models import VectorIndex, VectorIndexKind, VectorIndexStatus
from knowledge.vector_index import deciding
from knowledge.vector_index.changing import demote, promote
from knowledge.vector_index.locking import Busy, alone
from knowledge.vector_index.partition import TABLE, Partition
from knowledge.vector_index.progress import Progress
from tenants import due_work
from tenants.context import TenantRef, acting_as
from tenants.models import POOL_SCHEMA, Tenant
from tenants.owner import owner_connection
from tenants.partitions import tenant_of

SWEEP_EVERY_S: Final = 3600.0
BUSY_PAUSE: Final = timedelta(seconds=30)
LONGEST_PAUSE: Final = timedelta(hours=1)
UNFINISHED: Final = timedelta(minutes=1)

logger = logging.getLogger(__name__)
_swept_at = float("-inf")


def look_after(report: Callable[[str], None]) -> None:
    """One round: carry out what is due. At first, and every hour, also ask every tenant's size (the setting may have
    changed), drop what deleted tenants have left, and take up what an earlier maintain has put off or left unfinished.
    """
    global _swept_at
    due_by = now()
    if time.monotonic() - _swept_at > SWEEP_EVERY_S:
        deciding.reconsider_everybody()
        drop_orphans(report)
        _swept_at = time.monotonic()
        due_by += LONGEST_PAUSE
    for work in due_work.overdue(deciding.WORK, due_by):
        carry_out(work.tenant, report)


def carry_out(tenant: TenantRef, report: Callable[[str], None] = logger.info) -> bool:
    """Bring the tenant's index to what its row wants; True when it is so. Otherwise the row says why not, and the
    promise when it is tried again."""
    with acting_as(tenant):
        index = VectorIndex.objects.select_for_update().first()
        name = Tenant.objects.values_list("slug", flat=True).get(pk=tenant.id)
        if index is None or (index.wanted == index.kind and index.status == VectorIndexStatus.DONE):
            due_work.keep(deciding.WORK, tenant.id)
            return True
        # Looked at again though this process dies; nobody else takes it while we hold the lock `alone`.
        due_work.promise(deciding.WORK, tenant.id, now() + UNFINISHED)
    with owner_connection(), alone() as we_are:
        if not we_are:
            return False
        wanted = VectorIndexKind(index.wanted)
        with acting_as(tenant):
            VectorIndex.objects.update(
                attempts=index.attempts + 1, started_at=index.started_at or now(), error=""
            )
        try:
            progress = Progress(tenant, name, report)
            if wanted == VectorIndexKind.HNSW:
                promote(tenant, progress)
            else:
                demote(tenant, progress)
        except (Busy, DatabaseError) as error:
            _put_off(tenant, index.attempts, error)
            report(f"{name}: {error}; it is tried again")
            return False
        _finish(tenant, wanted)
    report(f"{name}: done, searched by {wanted.label}")
    return True


def drop_orphans(report: Callable[[str], None]) -> None:
    """Drop the own partitions of tenants that are in the pool no more, because they do not exist or have a schema of
    their own: their rows are gone, the tables are not."""
    with owner_connection(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = %s::regnamespace AND relname LIKE %s",
            [POOL_SCHEMA, f"{TABLE}_%"],
        )
        found = [tenant_of(name) for (name,) in cursor.fetchall()]
        for tenant_id in [own[1] for own in found if own is not None and own[0] == TABLE]:
            tenant = TenantRef(tenant_id, POOL_SCHEMA)
            if not _is_in_pool(tenant):
                try:
                    Partition(tenant).drop()
                    report(f"dropped the vectors' partition of tenant {tenant_id}, who has left the pool")
                except Busy:
                    logger.info("the partition of tenant %s is dropped another time", tenant_id)


def _is_in_pool(tenant: TenantRef) -> bool:
    with acting_as(tenant):
        return Tenant.objects.filter(pk=tenant.id, schema_name=POOL_SCHEMA).exists()


def _finish(tenant: TenantRef, kind: VectorIndexKind) -> None:
    with acting_as(tenant):
        index = VectorIndex.objects.select_for_update().get()
        if index.wanted == kind:
            VectorIndex.objects.update(
                kind=kind, status=VectorIndexStatus.DONE, progress=1.0, attempts=0, finished_at=now()
            )
            due_work.keep(deciding.WORK, tenant.id)
        else:  # ordered otherwise meanwhile
            due_work.promise(deciding.WORK, tenant.id, now())


def _put_off(tenant: TenantRef, attempts: int, error: Exception) -> None:
    is_busy = isinstance(error, Busy)
    pause = BUSY_PAUSE if is_busy else min(timedelta(minutes=2**attempts), LONGEST_PAUSE)
    with acting_as(tenant):
        VectorIndex.objects.update(
            status=VectorIndexStatus.PENDING if is_busy else VectorIndexStatus.FAILED, error=str(error)
        )
        due_work.promise(deciding.WORK, tenant.id, now() + pause)
