"""The admin's pages of costs: the ledger, budgets and prices. The overview over all of it is config.dashboard_costs."""

from billing.admin.alerts import BudgetAlertAdmin
from billing.admin.budgets import BudgetAdmin
from billing.admin.ledger import CostEventAdmin
from billing.admin.prices import ModelPriceAdmin

__all__ = ["BudgetAdmin", "BudgetAlertAdmin", "CostEventAdmin", "ModelPriceAdmin"]
