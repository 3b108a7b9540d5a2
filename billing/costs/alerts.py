"""The table of budget alerts."""

from django.db import models

from billing.costs.fields import MoneyField
from billing.costs.models import Budget, BudgetPeriod
from kernel.money import as_text
from tenants.ownership import Now, SameTenantForeignKey, TenantOwned, jsonb_default


class Severity(models.TextChoices):
    """Below the limit, or at it."""

    WARNING = "warning"
    CRITICAL = "critical"


class BudgetAlert(TenantOwned):
    """A share of a budget's limit was reached: once in each of its periods, and again where the limit was raised since.

    `threshold` is that share in dollars and `current_spend` what was spent when it was reached. At 1 a budget with a
    hard cap has refused a call or spent all. `metadata` holds the budget's {recipients, channels, customMessage} of
    that moment, and whom a letter has reached (`mailed`).
    """

    budget = SameTenantForeignKey(Budget, related_name="alerts")
    period_start = models.DateTimeField()
    fraction = models.DecimalField(max_digits=5, decimal_places=4)
    threshold = models.DecimalField(max_digits=10, decimal_places=2)
    current_spend = MoneyField()
    period = models.CharField(max_length=8, choices=BudgetPeriod)
    severity = models.CharField(
        max_length=8, choices=Severity, default=Severity.WARNING, db_default=Severity.WARNING
    )
    notifications_sent = models.PositiveIntegerField(default=0, db_default=0)
    triggered_at = models.DateTimeField(db_default=Now())
    resolved = models.BooleanField(default=False, db_default=False)
    resolved_at = models.DateTimeField(null=True)
    metadata = models.JSONField(default=dict, db_default=jsonb_default("{}"))

    class Meta(TenantOwned.Meta):
        db_table = "budget_alerts"
        ordering = ["-id"]
        constraints = [
            *TenantOwned.Meta.constraints,
            models.UniqueConstraint(
                fields=["tenant", "budget", "period_start", "fraction"], name="budget_alerts_once"
            ),
            models.CheckConstraint(
                condition=models.Q(severity__in=Severity.values), name="budget_alerts_severity_known"
            ),
            models.CheckConstraint(
                condition=models.Q(period__in=BudgetPeriod.values), name="budget_alerts_period_known"
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "resolved", "-id"], name="budget_alerts_by_state"),
            models.Index(fields=["tenant", "-triggered_at"], name="budget_alerts_by_time"),
        ]

    @property
    def per_cent(self) -> str:
        """The share as people read it: `80`, `12.5`."""
        return as_text(self.fraction * 100)

    def __str__(self) -> str:
        return f"{self.per_cent} % of the {self.get_period_display().lower()} budget"
