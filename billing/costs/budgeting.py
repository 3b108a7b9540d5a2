"""Making, changing and deleting budgets of the acting tenant."""

import uuid
from decimal import Decimal
from typing import Any, Final

from billing.costs import budgets, watching
from billing.costs.events import BUDGET_CHANGED
from billing.costs.models import Budget, BudgetPeriod
from billing.costs.representing import BudgetFields
from kernel.errors import InvalidInput, NotFound
from tenants.webhooks.publishing import publish

MAX_BUDGETS: Final = 20
DEFAULT_WARNINGS: Final = (Decimal("0.8"), Decimal(1))


def create_budget(*, limit_usd: Decimal, period: str = BudgetPeriod.MONTHLY, **fields: Any) -> Budget:
    """A new budget, with what was spent in its period already. `fields` are names of `budgets.CHANGEABLE`.

    Raises InvalidInput where there are 20 already: every answer reserves in all that have a hard cap.
    """
    if Budget.objects.count() >= MAX_BUDGETS:
        raise InvalidInput(f"There are {MAX_BUDGETS} budgets already; change one of them.")
    fields.setdefault("warn_at", list(DEFAULT_WARNINGS))
    budget = Budget.objects.create(limit_usd=limit_usd, period=period, **_ordered(fields))
    budgets.refresh(recount=True)
    return _changed(budget.pk)


def change_budget(budget_id: uuid.UUID, **changes: Any) -> Budget:
    """A budget with `changes` (names of `budgets.CHANGEABLE`). Raises NotFound."""
    _refuse_unknown(budget_id)
    if changes:
        budgets.change(budget_id, **_ordered(changes))
        return _changed(budget_id)
    return Budget.objects.get(pk=budget_id)


def delete_budget(budget_id: uuid.UUID) -> None:
    """Delete a budget and what it holds back; nothing is limited by it any more. Raises NotFound."""
    _refuse_unknown(budget_id)
    Budget.objects.filter(pk=budget_id).delete()


def _changed(budget_id: uuid.UUID) -> Budget:
    """The budget as it is now, with the alerts that it calls for."""
    budget = Budget.objects.get(pk=budget_id)
    publish(BUDGET_CHANGED, lambda: BudgetFields(budget).data)
    watching.look()
    return budget


def _refuse_unknown(budget_id: uuid.UUID) -> None:
    if not Budget.objects.filter(pk=budget_id).exists():
        raise NotFound(f"There is no budget {budget_id}.")


def _ordered(fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, "warn_at": sorted(set(fields["warn_at"]))} if "warn_at" in fields else fields
