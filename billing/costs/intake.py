"""Cost events from a tenant's own workers (voice, vision): checked strictly, then recorded like our own."""

import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Annotated, Any, Final

import orjson
from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    TypeAdapter,
    ValidationError,
    model_validator,
)

from ai.usage import Usage
from billing.costs import ledger
from billing.costs.ledger import NewCostEvent, RecordedEvent
from billing.costs.models import CostEvent, Service
from kernel import clock
from kernel.errors import FieldError, InvalidInput, TooLarge
from kernel.ids import uuid7
from kernel.money import money

MAX_EVENTS: Final = 1000
MAX_ERRORS: Final = 20
MAX_METADATA: Final = 4096
MAX_TOKENS: Final = 10**12
EARLIEST: Final = datetime(2000, 1, 1, tzinfo=UTC)
# Clocks differ; more than this is a mistake, and would be counted in a period that has not begun.
AHEAD: Final = timedelta(minutes=5)
DOLLARS: Final = re.compile(r"[0-9]{1,8}(\.[0-9]{1,10})?")


def _dollars(text: str) -> str:
    if not DOLLARS.fullmatch(text):
        raise ValueError('must be a decimal string such as "0.0125", at most 8 digits and 10 places')
    return text


def _small(metadata: dict[str, Any]) -> dict[str, Any]:
    if len(orjson.dumps(metadata)) > MAX_METADATA:
        raise ValueError(f"must be at most {MAX_METADATA // 1024} KB as JSON")
    return metadata


def _plausible(moment: datetime) -> datetime:
    if not EARLIEST <= moment <= clock.now() + AHEAD:
        raise ValueError(f"must lie between {EARLIEST:%Y-%m-%d} and now")
    return moment


Name = Annotated[str, StringConstraints(min_length=1, max_length=60)]
Optional60 = Annotated[str, StringConstraints(max_length=60)]
Tokens = Annotated[int, Field(ge=0, le=MAX_TOKENS)]


class EventIn(BaseModel):
    """One cost event as the API takes it. Without `cost_usd` it is priced here, at the price of its time."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    service: Service
    provider: Name
    model: Annotated[str, StringConstraints(min_length=1, max_length=120)]
    feature: Optional60 = ""
    session: uuid.UUID | None = None
    message: uuid.UUID | None = None
    user_ref: Annotated[str, StringConstraints(max_length=200)] = ""
    trace_id: Annotated[str, StringConstraints(max_length=64)] = ""
    span_id: Annotated[str, StringConstraints(max_length=32)] = ""
    parent_span_id: Annotated[str, StringConstraints(max_length=32)] = ""
    input_tokens: Tokens = 0
    output_tokens: Tokens = 0
    cached_tokens: Tokens = 0
    cache_write_tokens: Tokens = 0
    units: Annotated[float, Field(ge=0, le=1e11, allow_inf_nan=False)] | None = None
    latency_ms: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    cost_usd: Annotated[str, AfterValidator(_dollars)] | None = None
    estimated: bool = False
    is_cache_hit: bool = False
    idempotency_key: Annotated[str, StringConstraints(min_length=1, max_length=200)] | None = None
    timestamp: Annotated[AwareDatetime, AfterValidator(_plausible)] | None = None
    metadata: Annotated[dict[str, Any], AfterValidator(_small)] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _cached_is_input(self) -> "EventIn":
        if self.cached_tokens + self.cache_write_tokens > self.input_tokens:
            raise ValueError(
                "cached_tokens and cache_write_tokens are part of input_tokens and cannot exceed them"
            )
        return self


EVENTS: Final = TypeAdapter(list[EventIn])


def ingest(body: object) -> list[RecordedEvent]:
    """Record the acting tenant's event, or array of up to 1,000: all or none.

    Raises InvalidInput naming each wrong field (`3.session` in an array), TooLarge for a longer array.
    """
    is_array = isinstance(body, list)
    items = body if isinstance(body, list) else [body]
    if not items:
        raise InvalidInput("The array is empty: send at least one event.")
    if len(items) > MAX_EVENTS:
        raise TooLarge(f"At most {MAX_EVENTS:,} events at once, here are {len(items):,}.")
    events = _read(items, is_array)
    sessions = _sessions(events, is_array)
    return ledger.record([_new(event, session) for event, session in zip(events, sessions, strict=True)])


def _read(items: Sequence[object], is_array: bool) -> list[EventIn]:
    try:
        # From JSON, where strict still lets a UUID or a time be a string.
        return EVENTS.validate_json(orjson.dumps(items))
    except ValidationError as error:
        errors = [_field_error(found, is_array) for found in error.errors(include_url=False)[:MAX_ERRORS]]
        raise InvalidInput(
            "; ".join(f"{found.field}: {found.message}" for found in errors[:3]), errors=errors
        ) from error


def _field_error(found: Mapping[str, Any], is_array: bool) -> FieldError:
    place = found["loc"] if is_array else found["loc"][1:]
    return FieldError(".".join(map(str, place)), found["msg"].removeprefix("Value error, "))


def _sessions(events: Sequence[EventIn], is_array: bool) -> list[uuid.UUID | None]:
    """Each event's session, which a message brings with it. Another tenant's is as unknown as one that never was."""
    known = set(_parents("session", events).values_list("id", flat=True))
    of_message = dict(_parents("message", events).values_list("id", "session_id"))
    sessions: list[uuid.UUID | None] = []
    errors: list[FieldError] = []
    for index, event in enumerate(events):
        prefix = f"{index}." if is_array else ""
        session_id = event.session or of_message.get(event.message)
        if event.session is not None and event.session not in known:
            errors.append(FieldError(f"{prefix}session", "there is no such session"))
        elif event.message is not None and event.message not in of_message:
            errors.append(FieldError(f"{prefix}message", "there is no such message"))
        elif event.message is not None and of_message[event.message] != session_id:
            errors.append(FieldError(f"{prefix}message", "is not of this session"))
        sessions.append(session_id)
    if errors:
        raise InvalidInput(f"{errors[0].field}: {errors[0].message}", errors=errors[:MAX_ERRORS])
    return sessions


def _parents(name: str, events: Sequence[EventIn]) -> Any:
    """The rows that events point at by the key `name`; its table is of a room above this one."""
    wanted = {identifier for event in events if (identifier := getattr(event, name)) is not None}
    parent: Any = CostEvent._meta.get_field(name).related_model
    return parent.objects.filter(pk__in=wanted) if wanted else parent.objects.none()


def _new(event: EventIn, session_id: uuid.UUID | None) -> NewCostEvent:
    usage = None
    if event.input_tokens or event.output_tokens or event.units is None:
        usage = Usage(event.input_tokens, event.output_tokens, event.cached_tokens, event.cache_write_tokens)
    return NewCostEvent(
        service=event.service.value,
        provider=event.provider,
        model=event.model,
        feature=event.feature,
        usage=usage,
        units=None if event.units is None else round(Decimal(repr(event.units)), 6),
        session_id=session_id,
        message_id=event.message,
        user_ref=event.user_ref,
        trace_id=event.trace_id,
        span_id=event.span_id,
        parent_span_id=event.parent_span_id,
        latency_ms=event.latency_ms,
        cost_usd=None if event.cost_usd is None else money(event.cost_usd),
        estimated=event.estimated,
        is_cache_hit=event.is_cache_hit,
        idempotency_key=event.idempotency_key or str(uuid7()),
        timestamp=event.timestamp,
        metadata=event.metadata,
    )
