"""The ledger's pages: every paid call."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.costs.models import CostEvent
from tenants.administration import RecordAdmin, dollars, facts, moment
from tenants.administration.filters import Choice


class PriceFilter(Choice):
    """Events with and without a price."""

    title = "price"
    parameter_name = "price"
    choices_ = (("known", "known"), ("missing", "missing"))

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        return rows.filter(cost_usd__isnull=value == "missing")


@admin.register(CostEvent)
class CostEventAdmin(RecordAdmin):
    """The ledger."""

    list_display = ("at", "service", "model", "purpose", "tokens", "cost", "conversation")
    list_filter = (PriceFilter, "service", "provider", "estimated")
    list_select_related = ("session",)
    search_fields = ("model", "feature", "user_ref", "trace_id", "idempotency_key")
    search_help_text = "Model, feature, user reference or trace"
    ordering = ("-timestamp", "-id")
    fields = (
        ("at", "cost"), ("service", "provider"), ("model", "purpose"), ("input_tokens", "output_tokens"),
        ("cached_tokens", "is_estimated"), ("latency", "conversation"), "idempotency_key", "details",
    )  # fmt: skip
    readonly_fields = ("at", "purpose", "conversation", "latency", "cost", "is_estimated", "details")
    empty_state = (
        "Each paid call is booked here: answers, embeddings, and what your own workers send to cost-events/. "
        "Ask your widget something, and its first one appears."
    )
    empty_action = ("Try a question", "admin:search_bench")

    @display(description="time", ordering="timestamp")
    def at(self, event: CostEvent) -> SafeString | str:
        return moment(event.timestamp)

    @display(description="feature", ordering="feature")
    def purpose(self, event: CostEvent) -> str:
        return event.feature or "none"

    @display(description="tokens", ordering="tokens_used")
    def tokens(self, event: CostEvent) -> str:
        return f"{event.tokens_used:,}"

    @display(description="cost", ordering="cost_usd")
    def cost(self, event: CostEvent) -> SafeString | str:
        if event.cost_usd is None:
            return format_html('<span class="fd-tag fd-bad">{}</span>', "price missing")
        return dollars(event.cost_usd)

    @display(description="conversation")
    def conversation(self, event: CostEvent) -> SafeString | str:
        if event.session_id is None:
            return "none"
        address = f"/admin/widgets/session/{event.session_id}/change/"
        return format_html('<a class="fd-link fd-nowrap" href="{}">{}</a>', address, event.session)

    @display(description="duration")
    def latency(self, event: CostEvent) -> str:
        return "not measured" if event.latency_ms is None else f"{event.latency_ms:,} ms"

    @display(description="tokens are estimated")
    def is_estimated(self, event: CostEvent) -> str:
        return "yes, the provider did not say" if event.estimated else "no, the provider's own count"

    @display(description="details")
    def details(self, event: CostEvent) -> SafeString | str:
        told = {"user": event.user_ref, "units": event.units, "trace": event.trace_id, **event.metadata}
        return facts({name: value for name, value in told.items() if value not in (None, "")})

    def get_search_results(self, request: HttpRequest, queryset: Any, search_term: str) -> Any:
        return super().get_search_results(request, queryset, search_term.replace("\0", ""))
