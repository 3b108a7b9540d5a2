"""The pages of budget alerts."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.costs.alerts import BudgetAlert
from tenants.administration import RecordAdmin, dollars, facts, moment
from tenants.administration.filters import Choice


class StateFilter(Choice):
    """Alerts that stand, and those that are over."""

    title = "state"
    parameter_name = "state"
    choices_ = (("open", "standing"), ("resolved", "over"))

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        return rows.filter(resolved=value == "resolved")


@admin.register(BudgetAlert)
class BudgetAlertAdmin(RecordAdmin):
    """What budgets have warned of."""

    list_display = ("raised", "what", "spent", "letters", "state")
    list_filter = (StateFilter, "severity", "period")
    list_select_related = ("budget",)
    ordering = ("-triggered_at", "-id")
    fields = (("what", "state"), ("raised", "over"), ("spent", "at"), ("budget_page", "letters"), "told")
    readonly_fields = ("what", "state", "raised", "over", "spent", "at", "budget_page", "letters", "told")
    empty_state = (
        "When spending reaches a share of a budget that it warns at, it is listed here, "
        "and people and webhooks are told."
    )
    empty_action = ("Look at budgets", "admin:billing_budget_changelist")

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))

    @display(description="raised", ordering="triggered_at")
    def raised(self, alert: BudgetAlert) -> SafeString | str:
        return moment(alert.triggered_at)

    @display(description="alert", ordering="fraction")
    def what(self, alert: BudgetAlert) -> str:
        return str(alert)

    @display(description="spent then", ordering="current_spend")
    def spent(self, alert: BudgetAlert) -> str:
        return dollars(alert.current_spend)

    @display(description="warns at")
    def at(self, alert: BudgetAlert) -> str:
        return dollars(alert.threshold)

    @display(description="letters", ordering="notifications_sent")
    def letters(self, alert: BudgetAlert) -> str:
        return f"{alert.notifications_sent:,}"

    @display(description="over since")
    def over(self, alert: BudgetAlert) -> SafeString | str:
        return moment(alert.resolved_at, never="it stands")

    @display(description="budget")
    def budget_page(self, alert: BudgetAlert) -> SafeString:
        address = f"/admin/billing/budget/{alert.budget_id}/change/"
        return format_html('<a class="fd-link" href="{}">{}</a>', address, alert.budget)

    @display(description="told")
    def told(self, alert: BudgetAlert) -> SafeString | str:
        known = {
            "to": alert.metadata.get("mailed"),
            "by": alert.metadata.get("channels") or ["email", "webhook"],
            "message": alert.metadata.get("customMessage"),
        }
        return facts({name: value for name, value in known.items() if value})

    @display(description="state", label={"warning": "warning", "used up": "danger", "over": "info"})
    def state(self, alert: BudgetAlert) -> str:
        if alert.resolved:
            return "over"
        return "used up" if alert.severity == "critical" else "warning"
