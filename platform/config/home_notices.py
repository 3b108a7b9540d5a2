"""What stands above the admin's home: what is not as it should be, and where it is put right."""

from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.urls import reverse

from billing.costs.alerting import is_cap
from billing.costs.alerts import BudgetAlert
from tenants.administration import dollars
from tenants.models import WebhookEndpoint


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that is not as it should be, and where it is put right."""

    title: str
    note: str
    link: str


def notices(request: HttpRequest) -> list[Notice]:
    """What somebody must know of before anything else: budgets that stand at a warning, webhooks that were turned
    off."""
    found = []
    if request.user.has_perm("billing.view_budgetalert"):
        worst: dict[Any, BudgetAlert] = {}
        # A budget that is used up need not say that it was nearly so.
        for alert in BudgetAlert.objects.filter(resolved=False).select_related("budget").order_by("fraction"):
            worst[alert.budget_id] = alert
        found += [_of_budget(alert) for alert in worst.values()]
    if request.user.has_perm("tenants.view_webhookendpoint"):
        for endpoint in WebhookEndpoint.objects.filter(is_active=False).exclude(disabled_reason=""):
            link = reverse("admin:tenants_webhookendpoint_change", args=[endpoint.pk])
            found.append(
                Notice(f"The webhook {endpoint} was turned off.", "It is told nothing any more.", link)
            )
    return found


def _of_budget(alert: BudgetAlert) -> Notice:
    budget = alert.budget
    reached = "is used up" if alert.fraction >= 1 else f"has reached {alert.per_cent}\N{NO-BREAK SPACE}%"
    return Notice(
        f"The {budget.get_period_display().lower()} budget of {dollars(budget.limit_usd)} {reached}.",
        "Answers are refused until it begins anew."
        if is_cap(alert)
        else f"{dollars(budget.spent)} are spent.",
        reverse("admin:billing_budget_change", args=[budget.pk]),
    )
