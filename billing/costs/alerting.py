"""Raising and resolving budget alerts: each share of a limit once in a period, told by a webhook event in the same
transaction, and by a letter that is promised in it (`billing.costs.telling`).

An answer pays nothing for it: thresholds are looked at after the fold, two seconds after spending was committed
(`billing.costs.watching`). Only a call that a hard cap refuses raises its alert by itself.
"""

import uuid
from typing import Final

from django.db import connection

from billing.costs.alerts import BudgetAlert
from billing.costs.events import BUDGET_CAP_REACHED, BUDGET_THRESHOLD_REACHED
from billing.costs.representing import BudgetAlertFields
from billing.costs.statements import statement
from kernel import clock
from tenants import due_work
from tenants.webhooks.publishing import publish

LETTER_WORK: Final = "budget_letter"
EMAIL, WEBHOOK = "email", "webhook"


def raise_due(*, refused_by: uuid.UUID | None = None) -> list[BudgetAlert]:
    """Raise what the acting tenant's budgets call for as they stand; those that are new. `refused_by`: a budget with a
    hard cap that has just had no room for a call."""
    values = {"now": clock.now(), "refused_by": refused_by}
    with connection.cursor() as cursor:
        cursor.execute(statement("raise_alerts"), values)
        new = [identifier for (identifier,) in cursor.fetchall()]
    raised = (
        list(BudgetAlert.objects.filter(pk__in=new).select_related("budget").order_by("fraction"))
        if new
        else []
    )
    for alert in raised:
        _tell(alert)
    return raised


def resolve_over() -> None:
    """Resolve the acting tenant's alerts of periods that have turned, and of limits that were raised."""
    with connection.cursor() as cursor:
        cursor.execute(statement("resolve_alerts"), {"now": clock.now()})


def is_cap(alert: BudgetAlert) -> bool:
    """Whether calls are refused from here on."""
    return bool(alert.budget.hard_cap) and alert.fraction >= 1


def goes_by(alert: BudgetAlert, channel: str) -> bool:
    """Whether the budget's owner wants to be told that way; where they have chosen none, every way."""
    chosen = alert.metadata.get("channels") or []
    return not chosen or channel in chosen


def _tell(alert: BudgetAlert) -> None:
    if goes_by(alert, WEBHOOK):
        event = BUDGET_CAP_REACHED if is_cap(alert) else BUDGET_THRESHOLD_REACHED
        publish(event, lambda: BudgetAlertFields(alert).data)
    if goes_by(alert, EMAIL):
        due_work.promise(LETTER_WORK, alert.pk, clock.now())
