"""Looking at the acting tenant's budgets: which have a new period, which alerts are to be raised, which are over."""

from billing.costs import alerting, budgets
from billing.costs.alerts import BudgetAlert
from billing.costs.models import Budget
from kernel import clock


def look() -> list[BudgetAlert]:
    """Begin periods that are due, resolve alerts that are over and raise those that are due; the new ones. Budgets may
    stay locked until the transaction ends: call it last."""
    if Budget.objects.filter(period_end__lte=clock.now()).exists():
        budgets.refresh()
    alerting.resolve_over()
    return alerting.raise_due()
