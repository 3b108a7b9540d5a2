"""What the lists of costs may be asked for, read from a query string."""

import uuid
from collections.abc import Mapping
from datetime import date, datetime
from typing import Any, Final

from django.utils.dateparse import parse_date, parse_datetime

from billing.costs.models import Service, SummaryPeriod
from billing.costs.summaries import DIMENSIONS, start_of
from kernel.errors import InvalidInput

Query = Mapping[str, str]

EVENT_COLUMNS: Final = (
    "id", "session_id", "message_id", "trace_id", "span_id", "parent_span_id", "service", "provider", "model",
    "feature", "user_ref", "input_tokens", "output_tokens", "cached_tokens", "cache_write_tokens", "tokens_used",
    "units", "latency_ms", "cost_usd", "verified_cost_usd", "estimated", "is_cache_hit", "corrects_id",
    "idempotency_key", "metadata", "timestamp",
)  # fmt: skip


def event_filters(query: Query) -> dict[str, Any]:
    """The filters of cost events that `query` asks for, as the ORM takes them. Raises InvalidInput naming the field."""
    filters: dict[str, Any] = {
        name: query[name] for name in ("provider", "model", "feature") if name in query
    }
    for name in ("session", "message"):
        if name in query:
            filters[f"{name}_id"] = _identifier(name, query[name])
    if "service" in query:
        filters["service"] = _one_of("service", query["service"], Service.values)
    for name, lookup in (("start", "timestamp__gte"), ("end", "timestamp__lt")):
        if name in query:
            filters[lookup] = start_of(_time(name, query[name]))
    return filters


def report_options(query: Query) -> dict[str, Any]:
    """The arguments of `summaries.summaries` that `query` asks for. Raises InvalidInput naming the field."""
    options: dict[str, Any] = {name: _time(name, query[name]) for name in ("start", "end") if name in query}
    if "group_by" in query:
        options["group_by"] = _one_of("group_by", query["group_by"], SummaryPeriod.values)
    if query.get("by"):
        named = [_one_of("by", name.strip(), DIMENSIONS) for name in query["by"].split(",")]
        options["by"] = list(dict.fromkeys(named))
    return options


def as_cost_event_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of EVENT_COLUMNS as the API names it: keys to other things without `_id`."""
    renamed = {"session_id": "session", "message_id": "message", "corrects_id": "corrects"}
    return {renamed.get(name, name): value for name, value in row.items()}


def _time(name: str, text: str) -> date | datetime:
    """A date, or a time with its offset; a plus sign that arrives as a space is one."""
    try:
        moment = parse_date(text) or parse_datetime(text.replace(" ", "+"))
    except ValueError:
        moment = None
    if (
        moment is None
        or (isinstance(moment, datetime) and moment.tzinfo is None)
        or not 1970 <= moment.year <= 2200
    ):
        raise InvalidInput.of(
            name, "must be a date such as 2026-03-10 or a time such as 2026-03-10T12:00:00Z"
        )
    return moment


def _identifier(name: str, text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise InvalidInput.of(name, f"must be the id of a {name}") from error


def _one_of(name: str, text: str, allowed: Any) -> str:
    if text not in allowed:
        raise InvalidInput.of(name, f"must be one of {', '.join(allowed)}")
    return text
