"""What is deleted because it is old: of each tenant that says for how many days it keeps conversations.

Every room says what it holds that ages; beat has it deleted hour by hour, some rows in a transaction. What a tenant
keeps for ever (`retentionDays` empty) nobody deletes.
"""

import logging
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from kernel import clock
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants
from tenants.models import Tenant

RETENTION_DAYS: Final = "retentionDays"
BATCH: Final = 500

logger = logging.getLogger(__name__)


class Ageing(NamedTuple):
    """Something that ages: how much of it is from before a moment, and how to delete at most so many of these; the
    number deleted. Both inside `acting_as`."""

    name: str
    count: Callable[[datetime], int]
    delete: Callable[[datetime, int], int]


_ageing: dict[str, Ageing] = {}


def ages(name: str, count: Callable[[datetime], int], delete: Callable[[datetime, int], int]) -> None:
    """Have this deleted when it is older than its tenant keeps conversations. In the order of the calls."""
    _ageing[name] = Ageing(name, count, delete)


def kept_for(tenant: TenantRef) -> timedelta | None:
    """For how long a tenant keeps conversations; None: for ever. Inside `acting_as`."""
    stored = Tenant.objects.values_list("settings", flat=True).get(pk=tenant.id)
    days = stored.get(RETENTION_DAYS)
    return timedelta(days=days) if isinstance(days, int) and days > 0 else None


def due(tenant: TenantRef) -> dict[str, int]:
    """What would be deleted now, by name; empty where the tenant keeps all."""
    with acting_as(tenant):
        kept = kept_for(tenant)
        return {one.name: one.count(clock.now() - kept) for one in _ageing.values()} if kept else {}


def delete_old(tenant: TenantRef) -> dict[str, int]:
    """Delete what is old; how much of what."""
    with acting_as(tenant):
        kept = kept_for(tenant)
    return dict(_delete_all(tenant, clock.now() - kept)) if kept else {}


def delete_old_of_everybody() -> int:
    """Delete what is old of every tenant; how many rows that were named. One tenant's trouble stops no other's."""
    gone = 0
    for tenant in all_tenants():
        try:
            gone += sum(delete_old(tenant).values())
        except Exception:
            logger.exception("what is old of tenant %s is deleted another time", tenant.id)
    return gone


def _delete_all(tenant: TenantRef, before: datetime) -> Iterator[tuple[str, int]]:
    for one in _ageing.values():
        gone = 0
        while True:
            with acting_as(tenant):
                deleted = one.delete(before, BATCH)
            gone += deleted
            if deleted < BATCH:
                break
        yield one.name, gone
