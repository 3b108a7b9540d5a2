"""The ledger: every paid call is written once, with its price of the time, and never changed."""

import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any, NamedTuple

import orjson
from django.db import transaction

from ai.usage import Usage
from billing.costs import budgets, debounce, pricing
from billing.costs.models import CostEvent
from billing.costs.statements import statement
from kernel import clock
from kernel.ids import uuid7
from kernel.money import money
from tenants.context import TenantRef, require_tenant
from tenants.db.prepared import prepared_cursor

SessionCosts = Mapping[uuid.UUID, Decimal]

_listeners: list[Callable[[SessionCosts], None]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class NewCostEvent:
    """One paid call to be recorded. `cost_usd` None: priced by us at `timestamp` (None: now); another is kept as given.

    `idempotency_key` names the call: a second event of the same key is the first one again. `units` are what the
    service is sold by where that is not tokens (`pricing.UNITS`). `corrects` names the event whose cost this one makes
    good: it has no usage of its own, and its `cost_usd`, the difference, may be negative.
    """

    service: str
    provider: str
    model: str
    idempotency_key: str
    feature: str = ""
    usage: Usage | None = None
    units: Decimal | None = None
    session_id: uuid.UUID | None = None
    message_id: uuid.UUID | None = None
    user_ref: str = ""
    trace_id: str = ""
    span_id: str = ""
    parent_span_id: str = ""
    latency_ms: int | None = None
    estimated: bool = False
    is_cache_hit: bool = False
    corrects: uuid.UUID | None = None
    cost_usd: Decimal | None = None
    timestamp: datetime | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)


class RecordedEvent(NamedTuple):
    """An event as the ledger has it. `is_new` is false where its idempotency key was known already."""

    id: uuid.UUID
    cost_usd: Decimal | None
    session_id: uuid.UUID | None
    is_new: bool


def on_recorded(listener: Callable[[SessionCosts], None]) -> None:
    """Call `listener` in the recording transaction with what each session's new events cost, in the order of the
    sessions' ids (locks are taken in that order). Upper rooms register in AppConfig.ready."""
    _listeners.append(listener)


@dataclass(frozen=True, slots=True)
class Bill:
    """Events with their price of the time, not written yet."""

    rows: Sequence[Mapping[str, Any]]

    def __bool__(self) -> bool:
        return bool(self.rows)

    @property
    def total(self) -> Decimal | None:
        """Dollars for all of them; None where one has no price."""
        prices = [row["cost_usd"] for row in self.rows]
        return None if None in prices else sum(prices, Decimal(0))

    def of_nobody(self) -> "Bill":
        """The same money without session, message and person: for a call whose conversation was erased meanwhile."""
        named: dict[str, Any] = {"session_id": None, "message_id": None, "user_ref": "", "metadata": {}}
        return Bill([{**row, **named} for row in self.rows])


def record(events: Sequence[NewCostEvent]) -> list[RecordedEvent]:
    """Price and write `events` of the acting tenant, as `price` and `write` do."""
    return write(price(events))


def price(events: Sequence[NewCostEvent]) -> Bill:
    """What `events` of the acting tenant cost. Takes no lock."""
    return Bill([_row(event) for event in events])


def write(bill: Bill, *, settling: uuid.UUID | None = None) -> list[RecordedEvent]:
    """Write a bill's events, in their order; idempotent. Their cost is added to sessions and budgets in the same
    transaction, and a fold is asked for when it commits. `settling`: give back what budgets hold for this purpose, too.

    Locks sessions and then budgets until the transaction ends: call it last. A session or message that does not exist
    fails at commit with an IntegrityError.
    """
    tenant, rows = require_tenant(), bill.rows
    written, has_budgets = _insert(tenant, rows) if rows else ([], False)
    recorded = _recorded(rows, written)
    if written:
        _tell(recorded)
        transaction.on_commit(lambda: debounce.fold_soon(tenant))
    if has_budgets:
        budgets.spend(written, settling=settling, spent=bill.total)
    elif settling is not None:
        budgets.settle(settling, bill.total)
    return recorded


def _row(event: NewCostEvent) -> dict[str, Any]:
    usage = event.usage or Usage()
    if event.cost_usd is not None:
        priced = pricing.Priced(money(event.cost_usd), None)
    else:
        priced = pricing.price(
            event.service,
            event.provider,
            event.model,
            event.usage,
            event.units,
            event.timestamp or clock.now(),
        )
    return {
        "id": uuid7(),
        "session_id": event.session_id,
        "message_id": event.message_id,
        "trace_id": event.trace_id,
        "span_id": event.span_id,
        "parent_span_id": event.parent_span_id,
        "service": event.service,
        "provider": event.provider,
        "model": event.model,
        "feature": event.feature,
        "user_ref": event.user_ref,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cached_tokens": usage.cached_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
        "tokens_used": usage.input_tokens + usage.output_tokens,
        "units": event.units,
        "latency_ms": event.latency_ms,
        "cost_usd": priced.cost_usd,
        "price_id": priced.price_id,
        "cost_given": event.cost_usd is not None,
        "estimated": event.estimated or usage.estimated,
        "is_cache_hit": event.is_cache_hit,
        "corrects_id": event.corrects,
        "idempotency_key": event.idempotency_key,
        "metadata": event.metadata,
        "timestamp": event.timestamp,
    }


def _insert(tenant: TenantRef, rows: Sequence[Mapping[str, Any]]) -> tuple[list[uuid.UUID], bool]:
    """The ids that are new, and whether the tenant has budgets."""
    # Two batches with the same keys at once would wait for each other if they came in different orders.
    ordered = sorted(rows, key=lambda row: row["idempotency_key"])
    text = orjson.dumps(ordered, default=str).decode()
    with prepared_cursor() as cursor:
        cursor.execute(statement("record_cost_events"), {"tenant": tenant.id, "events": text})
        found = cursor.fetchall()
    return [identifier for identifier, _ in found], bool(found and found[0][1])


def _recorded(rows: Sequence[Mapping[str, Any]], written: Sequence[uuid.UUID]) -> list[RecordedEvent]:
    new = set(written)
    known: dict[str, RecordedEvent] = {}
    if len(new) < len(rows):
        keys = [row["idempotency_key"] for row in rows if row["id"] not in new]
        known_before = CostEvent.objects.filter(idempotency_key__in=keys)
        for event in known_before.only("cost_usd", "session_id", "idempotency_key"):
            known[event.idempotency_key] = RecordedEvent(event.id, event.cost_usd, event.session_id, False)
    return [
        RecordedEvent(row["id"], row["cost_usd"], row["session_id"], True)
        if row["id"] in new
        else known[row["idempotency_key"]]
        for row in rows
    ]


def _tell(recorded: Sequence[RecordedEvent]) -> None:
    costs: dict[uuid.UUID, Decimal] = {}
    for event in recorded:
        if event.is_new and event.session_id is not None and event.cost_usd:
            costs[event.session_id] = costs.get(event.session_id, Decimal(0)) + event.cost_usd
    if costs:
        in_order = dict(sorted(costs.items()))
        for listener in _listeners:
            listener(in_order)
