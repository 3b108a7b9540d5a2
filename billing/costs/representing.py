"""Cost events and summaries as the API describes them."""

from decimal import Decimal
from typing import Any, Final

from rest_framework import serializers

from billing.costs.alerts import Severity
from billing.costs.intake import MAX_EVENTS, EventIn
from billing.costs.models import BudgetPeriod, Degrade, ModelPrice, PriceUnit, Service
from billing.costs.negotiating import RATES
from tenants.models import Plan
from tenants.rest.fields import (
    Choice,
    Email,
    Flag,
    Id,
    Integer,
    JsonObject,
    Money,
    Number,
    StrictSerializer,
    Text,
    TextList,
    Time,
)


class CostEventFields(StrictSerializer):
    """One call to an AI service."""

    id = Id()
    session = Id(allow_null=True)
    message = Id(allow_null=True)
    trace_id = Text()
    span_id = Text()
    parent_span_id = Text()
    service = Choice(Service)
    provider = Text()
    model = Text()
    feature = Text()
    user_ref = Text()
    input_tokens = Integer(help_text="Cached and cache-write tokens included.")
    output_tokens = Integer()
    cached_tokens = Integer()
    cache_write_tokens = Integer()
    tokens_used = Integer()
    units = Money(allow_null=True, help_text="Seconds, characters, images or participant minutes.")
    latency_ms = Integer(allow_null=True)
    cost_usd = Money(allow_null=True, help_text="null: the price is not known.")
    verified_cost_usd = Money(allow_null=True, help_text="What the provider's invoice says.")
    estimated = Flag(help_text="The tokens were counted by us, not by the provider.")
    is_cache_hit = Flag()
    corrects = Id(
        allow_null=True, help_text="The event whose cost this one makes good; it carries the difference."
    )
    idempotency_key = Text()
    metadata = JsonObject()
    timestamp = Time()


class CostTotalsFields(StrictSerializer):
    """Sums."""

    total_cost_usd = Money()
    total_tokens = Integer()
    event_count = Integer()
    unpriced_count = Integer(help_text="Events whose price is not known; they are in no total_cost_usd.")


class CostSummaryFields(CostTotalsFields):
    """The sums of one period, and of one service, provider, model or feature where asked for."""

    period_start = Time()
    service = Choice(Service, required=False)
    provider = Text(required=False)
    model = Text(required=False)
    feature = Text(required=False)


class CostReportFields(StrictSerializer):
    """Periods, oldest first, and their totals."""

    results = CostSummaryFields(many=True)
    totals = CostTotalsFields()


def _event_schema() -> dict[str, Any]:
    schema = EventIn.model_json_schema()
    schema.pop("$defs", None)
    schema["properties"]["service"] = {"type": "string", "enum": Service.values}
    return schema


def _one_or_many(component: str) -> dict[str, Any]:
    item = {"$ref": f"#/components/schemas/{component}"}
    return {"oneOf": [item, {"type": "array", "items": item, "minItems": 1, "maxItems": MAX_EVENTS}]}


# What the document holds beside what it finds by itself: a body or an answer that may be one item or an array of them.
COMPONENTS: Final = {
    "NewCostEvent": _event_schema(),
    "RecordedCostEvent": {
        "type": "object",
        "description": "What became of an event that was sent.",
        "properties": {
            "id": {"type": "string", "format": "uuid"},
            "cost_usd": {
                "type": ["string", "null"],
                "format": "decimal",
                "description": "null: the price is not known.",
            },
            "is_new": {
                "type": "boolean",
                "description": "false: its idempotency key was known, and this is the event of the first time.",
            },
        },
        "required": ["id", "cost_usd", "is_new"],
    },
}
NEW_EVENTS_SCHEMA: Final = _one_or_many("NewCostEvent")
RECORDED_EVENTS_SCHEMA: Final = _one_or_many("RecordedCostEvent")


class Share(Number):
    """A share of a limit: above 0, at most 2."""

    def __init__(self) -> None:
        super().__init__(max_digits=5, decimal_places=4, min_value=Decimal("0.0001"), max_value=2)


class BudgetFields(StrictSerializer):
    """A limit on spending per day, week or month, in your time zone."""

    id = Id(read_only=True)
    period = Choice(BudgetPeriod, required=False, help_text="Default: monthly.")
    limit_usd = Money(min_value=Decimal(0))
    hard_cap = Flag(required=False, help_text="Refuse what would pass the limit, rather than only warn.")
    warn_at = serializers.ListField(
        child=Share(), required=False, max_length=10, help_text="Shares of the limit; default 0.8 and 1."
    )
    fallback_price_usd = Money(
        min_value=Decimal("0.0000000001"),
        required=False,
        allow_null=True,
        help_text="Per million tokens of a model without a price; null: a hard cap refuses such a model.",
    )
    degrade = Choice(
        Degrade, required=False, allow_blank=True, help_text="What answers do once it is used up."
    )
    recipients = serializers.ListField(
        child=Email(max_length=254),
        required=False,
        max_length=20,
        help_text="Who is written to; empty: owners and admins.",
    )
    channels = TextList(
        item_length=40,
        max_length=10,
        required=False,
        help_text="How you are told: email, webhook; empty: both. Other names are kept for you.",
    )
    custom_message = Text(
        max_length=2_000, allow_blank=True, required=False, help_text="Stands in the letter."
    )
    spent = Money(read_only=True, help_text="Since period_start.")
    reserved = Money(read_only=True, help_text="Held back for answers that are being made.")
    period_start = Time(read_only=True)
    period_end = Time(read_only=True)
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


class BudgetAlertFields(serializers.Serializer[Any]):
    """A share of a budget's limit that was reached."""

    id = Id()
    budget = Id(source="budget_id")
    fraction = Number(max_digits=5, decimal_places=4, help_text="Of the limit; 1 and more are critical.")
    threshold = serializers.DecimalField(
        max_digits=10, decimal_places=2, help_text="That share in dollars, to the cent."
    )
    current_spend = Money(help_text="What was spent when it was reached.")
    period = Choice(BudgetPeriod)
    period_start = Time()
    severity = Choice(Severity)
    notifications_sent = Integer(help_text="Letters.")
    triggered_at = Time()
    resolved = Flag(help_text="true: the period has turned, or the limit was raised above what is spent.")
    resolved_at = Time(allow_null=True)
    metadata = JsonObject(help_text="The budget's recipients, channels and customMessage of that moment.")
    created_at = Time()
    updated_at = Time()


class PriceFields(StrictSerializer):
    """What a model costs from a moment on, until the next price of the same model."""

    id = Id(read_only=True)
    provider = Text(max_length=60)
    model = Text(max_length=120)
    service = Choice(Service)
    unit = Choice(PriceUnit, required=False, help_text="Default: tokens.")
    input = Money(
        min_value=Decimal(0),
        allow_null=True,
        help_text="Dollars per million tokens, or per one of other units.",
    )
    output = Money(min_value=Decimal(0), required=False, allow_null=True, help_text="null: not sold apart.")
    cached = Money(min_value=Decimal(0), required=False, allow_null=True)
    cache_write = Money(min_value=Decimal(0), required=False, allow_null=True)
    effective_from = Time(required=False, help_text="Default: now.")
    source = Text(max_length=200, allow_blank=True, required=False)  # type: ignore[assignment]  # a field, named as DRF's own attribute is
    is_own = Flag(read_only=True, help_text="Negotiated by you; false: a public price.")
    created_at = Time(read_only=True)
    updated_at = Time(read_only=True)


def as_price_object(price: ModelPrice) -> dict[str, Any]:
    """A price as the API shows it."""
    columns = ("provider", "model", "service", "unit", *RATES, "effective_from", "source")
    return {
        "id": price.pk,
        **{name: getattr(price, name) for name in columns},
        "is_own": price.tenant_id is not None,
        "created_at": price.created_at,
        "updated_at": price.updated_at,
    }


class UsedCountFields(serializers.Serializer[Any]):
    """So many of something, beside what the plan allows."""

    used = Integer()
    limit = Integer(allow_null=True, help_text="null: no limit.")


class UsedMoneyFields(serializers.Serializer[Any]):
    """So many dollars, beside what the plan includes."""

    used = Money()
    limit = Money(allow_null=True, help_text="null: no limit.")


class PlanUsageFields(serializers.Serializer[Any]):
    """What you use this calendar month, in your time zone, beside your plan's limits."""

    plan = Choice(Plan)
    period_start = Time()
    period_end = Time()
    widgets = UsedCountFields(help_text="Active ones.")
    seats = UsedCountFields(help_text="Active members.")
    documents = UsedCountFields()
    conversations = UsedCountFields(help_text="Begun this month.")
    ai_spend_usd = UsedMoneyFields()
