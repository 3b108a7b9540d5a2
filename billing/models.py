"""Billing's tables, where Django looks for them."""

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
    "BudgetHold",
    "BudgetPeriod",
    "CostEvent",
    "CostSummary",
    "ModelPrice",
    "PriceUnit",
    "RollupWatermark",
    "Service",
    "SummaryPeriod",
]
