"""Billing's tables, where Django looks for them."""

from billing.costs.alerts import BudgetAlert, Severity
from billing.costs.models import (
    Budget,
    BudgetHold,
    BudgetPeriod,
    CostEvent,
    CostSummary,
    ModelPrice,
    PriceUnit,
    RollupWatermark,
    Service,
    SummaryPeriod,
)

__all__ = [
    "Budget",
    "BudgetAlert",
    "BudgetHold",
    "BudgetPeriod",
    "CostEvent",
    "CostSummary",
    "ModelPrice",
    "PriceUnit",
    "RollupWatermark",
    "Service",
    "Severity",
    "SummaryPeriod",
]
