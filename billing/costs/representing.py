"""Cost events and summaries as the API describes them."""

from typing import Any, Final

from billing.costs.intake import MAX_EVENTS, EventIn
from billing.costs.models import Service
from tenants.rest.fields import Choice, Flag, Id, Integer, JsonObject, Money, StrictSerializer, Text, Time


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


class RecordedEventFields(StrictSerializer):
    """What became of an event that was sent."""

    id = Id()
    cost_usd = Money(allow_null=True)
    is_new = Flag(help_text="false: its idempotency key was known, and this is the event of the first time.")


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


NEW_EVENTS_SCHEMA: Final = {
    "oneOf": [
        _event_schema(),
        {"type": "array", "items": _event_schema(), "minItems": 1, "maxItems": MAX_EVENTS},
    ]
}
