"""The door of billing's background work."""

import logging
from typing import Any

from celery import shared_task

from billing.costs import debounce, lagging, rollup, telling, watching
from kernel import measuring
from tenants.context import acting_as
from tenants.directory import all_tenants

logger = logging.getLogger(__name__)


@shared_task(name=debounce.TASK, bind=True, tenant_mode="atomic")
def fold(self: Any) -> None:
    """Fold the tenant's new cost events, and come back where some could not be folded yet."""
    done = rollup.fold()
    watching.look()
    if done.was_busy or done.is_pending:
        debounce.fold_soon(self.tenant)


@shared_task(name="billing.sweep_rollups", tenant_mode=None)
def sweep_rollups() -> None:
    """Fold every tenant: what a lost message or an emptied Redis left behind. One tenant's trouble stops no other's."""
    longest = 0.0
    for tenant in all_tenants():
        try:
            with acting_as(tenant):
                longest = max(longest, lagging.lag_seconds())
                rollup.fold()
                watching.look()
        except Exception:
            logger.exception("could not fold the costs of tenant %s", tenant.id)
    measuring.ROLLUP_LAG.set(longest)


@shared_task(name="billing.send_budget_letters", tenant_mode=None)
def send_budget_letters() -> int:
    """Tell people of their budgets; how many letters went."""
    return telling.send_letters()
