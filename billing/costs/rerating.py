"""Re-rating: a price that came late, or changed, is applied to events that are in the ledger already.

No event is changed. A correcting row with the difference follows it, at the time of the first, so that it lands in the
same hours, days and budgets, and its session's cost moves with it.
"""

import uuid
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from decimal import Decimal
from typing import Final, NamedTuple

from django.db.models import Count, Sum

from ai.usage import Usage
from billing.costs import ledger, pricing
from billing.costs.ledger import NewCostEvent
from billing.costs.models import CostEvent
from tenants.context import TenantRef, acting_as

BATCH: Final = 500
REASON: Final = "rerated"


class Selection(NamedTuple):
    """Which events are looked at: those of `start` up to `end`, of one provider and model where named."""

    start: datetime | None = None
    end: datetime | None = None
    provider: str | None = None
    model: str | None = None


EVERY_EVENT: Final = Selection()


class Correction(NamedTuple):
    """An event that costs another amount now. `before_usd` None: it had no price."""

    event: CostEvent
    before_usd: Decimal | None
    after_usd: Decimal
    number: int

    @property
    def difference_usd(self) -> Decimal:
        return self.after_usd - (self.before_usd or Decimal(0))


def rerate(
    tenant: TenantRef, selection: Selection = EVERY_EVENT, *, dry_run: bool = False
) -> Iterator[Correction]:
    """Correct the events of `tenant` that cost another amount by today's prices of their time; yields each correction,
    written already unless it is a `dry_run`. Run again, or by two at once, it adds nothing.

    A cost that came with its event stays as given, and so does one whose price is known to nobody any more. Works in
    transactions of 500 events, so that an interruption keeps what is done.
    """
    pricing.forget()
    after: uuid.UUID | None = None
    while True:
        with acting_as(tenant):
            events = list(_events(selection, after))
            corrections = list(_corrections(events))
            if not dry_run:
                ledger.record([_correcting(correction) for correction in corrections])
        yield from corrections
        if len(events) < BATCH:
            return
        after = events[-1].id


def _events(selection: Selection, after: uuid.UUID | None) -> Iterable[CostEvent]:
    asked = {
        "id__gt": after,
        "timestamp__gte": selection.start,
        "timestamp__lt": selection.end,
        "provider": selection.provider,
        "model": selection.model,
    }
    named = {name: value for name, value in asked.items() if value is not None}
    events = CostEvent.objects.filter(corrects=None, cost_given=False, **named).exclude(
        provider__in=pricing.FREE
    )
    return events.order_by("id")[:BATCH]


def _corrections(events: Sequence[CostEvent]) -> Iterator[Correction]:
    earlier = {
        row["corrects_id"]: row
        for row in CostEvent.objects.filter(corrects_id__in=[event.id for event in events])
        .order_by()
        .values("corrects_id")
        .annotate(sum=Sum("cost_usd"), count=Count("id"))
    }
    for event in events:
        after = pricing.price(
            event.service, event.provider, event.model, _usage(event), event.units, event.timestamp
        ).cost_usd
        before, number = event.cost_usd, 0
        if row := earlier.get(event.id):
            before, number = (before or Decimal(0)) + (row["sum"] or Decimal(0)), row["count"]
        if after is not None and after != before:
            yield Correction(event, before, after, number)


def _usage(event: CostEvent) -> Usage | None:
    if not (event.tokens_used or event.units is None):
        return None
    return Usage(event.input_tokens, event.output_tokens, event.cached_tokens, event.cache_write_tokens)


def _correcting(correction: Correction) -> NewCostEvent:
    event = correction.event
    return NewCostEvent(
        service=event.service,
        provider=event.provider,
        model=event.model,
        feature=event.feature,
        session_id=event.session_id,
        message_id=event.message_id,
        user_ref=event.user_ref,
        trace_id=event.trace_id,
        estimated=event.estimated,
        corrects=event.id,
        cost_usd=correction.difference_usd,
        timestamp=event.timestamp,
        # Two who re-rate at once see as many corrections, and write the same one once.
        idempotency_key=f"{REASON}:{event.id}:{correction.number}",
        metadata={
            "reason": REASON,
            "was": None if correction.before_usd is None else str(correction.before_usd),
        },
    )
