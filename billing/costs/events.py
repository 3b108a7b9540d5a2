"""The events of budgets."""

from typing import Final

from tenants.webhooks.catalogue import event_type

BUDGET_CHANGED: Final = event_type("budget.changed", "A budget was made or changed.", schema="Budget")
BUDGET_THRESHOLD_REACHED: Final = event_type(
    "budget.threshold_reached",
    "Spending has reached a share of a budget's limit that the budget warns at.",
    schema="BudgetAlert",
)
BUDGET_CAP_REACHED: Final = event_type(
    "budget.cap_reached",
    "A budget with a hard cap has refused its first call of the period, or is spent.",
    schema="BudgetAlert",
)
