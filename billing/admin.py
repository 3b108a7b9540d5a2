"""The admin's pages of costs: events, summaries, budgets and prices."""

from decimal import Decimal
from typing import Any

from django import forms
from django.contrib import admin
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.costs.budgets import change, refresh
from billing.costs.models import Budget, CostEvent, CostSummary, ModelPrice
from tenants.administration import DeedForm, Lines, RecordAdmin, TenantAdmin, as_json, dollars


@admin.register(CostEvent)
class CostEventAdmin(RecordAdmin):
    """The ledger."""

    list_display = ("timestamp", "service", "model", "feature", "tokens_used", "cost", "session")
    list_filter = ("service", "provider", "estimated", ("cost_usd", admin.EmptyFieldListFilter))
    list_select_related = ("session",)
    search_fields = ("model", "feature", "user_ref", "trace_id", "idempotency_key")
    ordering = ("-timestamp", "-id")
    fields = (
        "timestamp", "service", "provider", "model", "feature", "session", "message", "user_ref", "input_tokens",
        "output_tokens", "cached_tokens", "units", "latency_ms", "cost", "estimated", "corrects", "idempotency_key",
        "details",
    )  # fmt: skip
    readonly_fields = ("cost", "details")
    empty_state = (
        "Each paid call is booked here: answers, embeddings, and what your own workers send to cost-events/."
    )

    @display(description="cost", ordering="cost_usd")
    def cost(self, event: CostEvent) -> str:
        return dollars(event.cost_usd)

    @display(description="details")
    def details(self, event: CostEvent) -> SafeString:
        return as_json(event.metadata)


@admin.register(CostSummary)
class CostSummaryAdmin(RecordAdmin):
    """Sums by hour, day, week and month."""

    list_display = (
        "period_start",
        "period",
        "service",
        "model",
        "feature",
        "event_count",
        "total_tokens",
        "total",
    )
    list_filter = ("period", "service", "provider")
    search_fields = ("model", "feature")
    ordering = ("-period_start", "-id")
    fields = (
        "period", "period_start", "period_end", "service", "provider", "model", "feature", "total", "total_tokens",
        "event_count", "unpriced_count", "cache_hits",
    )  # fmt: skip
    readonly_fields = ("total",)
    empty_state = "Costs are summed here seconds after they are booked."

    @display(description="cost", ordering="total_cost_usd")
    def total(self, summary: CostSummary) -> str:
        missing = f" ({summary.unpriced_count} without a price)" if summary.unpriced_count else ""
        return dollars(summary.total_cost_usd) + missing


class BudgetForm(DeedForm):
    """A limit on spending."""

    warn_at = Lines(
        label="Warn at",
        help_text="Shares of the limit, one per line: 0.8 warns at 80 %.",
        initial=["0.8", "1"],
    )
    recipients = Lines(label="Tell", help_text="Emails, one per line.")

    class Meta:
        model = Budget
        fields = (
            "period", "limit_usd", "hard_cap", "fallback_price_usd", "degrade", "warn_at", "recipients",
            "custom_message",
        )  # fmt: skip
        help_texts = {
            "limit_usd": "In US dollars.",
            "hard_cap": "Refuse what would pass the limit, rather than only warn.",
        }

    def clean_warn_at(self) -> list[Decimal]:
        try:
            shares = sorted({Decimal(line) for line in self.cleaned_data["warn_at"]})
        except ArithmeticError as error:
            raise forms.ValidationError("Write shares such as 0.8, one per line.") from error
        if any(not 0 < share <= 2 for share in shares):
            raise forms.ValidationError("Each share must be above 0 and at most 2.")
        return shares

    def clean_recipients(self) -> list[str]:
        field = forms.EmailField()
        return [str(field.clean(line)) for line in self.cleaned_data["recipients"]]

    def deed(self) -> Budget:
        if self.is_new:
            budget = Budget.objects.create(**self.cleaned_data)
            refresh(recount=True)
        else:
            budget = self.instance
            change(budget.pk, **self.cleaned_data)
        budget.refresh_from_db()
        return budget


@admin.register(Budget)
class BudgetAdmin(TenantAdmin):
    """Budgets with what is spent and held back."""

    form = BudgetForm
    list_display = ("period", "limit", "used", "held", "hard_cap", "period_end")
    readonly_fields = ("used", "held", "period_start", "period_end")
    empty_state = (
        "A budget warns, or stops answers, before spending passes a limit. Without one nothing is limited."
    )

    def get_fieldsets(self, request: HttpRequest, obj: Budget | None = None) -> Any:
        now = ("Now", {"fields": (("used", "held"), ("period_start", "period_end"))})
        limit = ("Limit", {"fields": ("period", "limit_usd", "hard_cap", "fallback_price_usd", "degrade")})
        warnings = ("Warnings", {"fields": ("warn_at", "recipients", "custom_message")})
        return [now, limit, warnings] if obj else [limit, warnings]

    @display(description="limit", ordering="limit_usd")
    def limit(self, budget: Budget) -> str:
        return dollars(budget.limit_usd)

    @display(description="spent")
    def used(self, budget: Budget) -> str:
        share = f" ({budget.spent / budget.limit_usd:.0%})" if budget.limit_usd else ""
        return dollars(budget.spent) + share

    @display(description="held back")
    def held(self, budget: Budget) -> str:
        return dollars(budget.reserved)


@admin.register(ModelPrice)
class ModelPriceAdmin(RecordAdmin):
    """What models cost: public prices, and those negotiated by the tenant."""

    list_display = (
        "model",
        "provider",
        "service",
        "unit",
        "input_price",
        "output_price",
        "effective_from",
        "whose",
    )
    list_filter = ("provider", "service", "unit")
    search_fields = ("model", "provider")
    fields = (
        "provider", "model", "service", "unit", "input_price", "output_price", "cached_price", "cache_write_price",
        "effective_from", "source", "whose",
    )  # fmt: skip
    readonly_fields = ("input_price", "output_price", "cached_price", "cache_write_price", "whose")
    empty_state = "Prices are loaded when the product is installed: manage.py prices."

    @display(description="input", ordering="input")
    def input_price(self, price: ModelPrice) -> str:
        return _price(price.input)

    @display(description="output", ordering="output")
    def output_price(self, price: ModelPrice) -> str:
        return _price(price.output)

    @display(description="cached input")
    def cached_price(self, price: ModelPrice) -> str:
        return _price(price.cached)

    @display(description="cache write")
    def cache_write_price(self, price: ModelPrice) -> str:
        return _price(price.cache_write)

    @display(description="whose", label={"public": "info", "yours": "success"})
    def whose(self, price: ModelPrice) -> str:
        return "yours" if price.tenant_id else "public"


def _price(amount: Decimal | None) -> str:
    return "not sold apart" if amount is None else dollars(amount)
