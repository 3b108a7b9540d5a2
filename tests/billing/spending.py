"""Cost events, budgets and threads of the billing tests."""

import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal

from django.db import connection
from django.db.models import Sum

from ai.usage import Usage
from billing.costs import ledger, rollup
from billing.costs.ledger import NewCostEvent
from billing.models import Budget, CostEvent, CostSummary, ModelPrice
from kernel import clock
from tenants.context import acting_as
from tenants.models import Tenant

_numbers = itertools.count()


def event(cost: str | Decimal | None = "0.01", **fields) -> NewCostEvent:
    """An LLM call of a hundred tokens that cost so much."""
    fields.setdefault("idempotency_key", f"test:{next(_numbers)}")
    fields.setdefault("service", "llm")
    fields.setdefault("provider", "openai")
    fields.setdefault("model", "gpt-test")
    fields.setdefault("usage", Usage(input_tokens=80, output_tokens=20))
    return NewCostEvent(cost_usd=None if cost is None else Decimal(cost), **fields)


def spend(tenant, *costs: str, **fields):
    """Record an event for each of `costs`."""
    with acting_as(tenant):
        return ledger.record([event(cost, **fields) for cost in costs])


def fold_all(tenant, patience: float = 60.0) -> None:
    """Fold until nothing waits: a running transaction of any test on the server holds the horizon back."""
    deadline = time.monotonic() + patience
    while True:
        with acting_as(tenant):
            done = rollup.fold()
        if not (done.was_busy or done.is_pending):
            return
        assert time.monotonic() < deadline, "events could not be folded in time"
        time.sleep(0.02)


def live_in(tenant, zone) -> None:
    """Set the tenant's time zone."""
    with acting_as(tenant):
        Tenant.objects.filter(pk=tenant.pk).update(settings={"timezone": zone})


def totals(period: str = "hour") -> tuple[Decimal, int]:
    """Cost and count of the acting tenant's summaries."""
    found = CostSummary.objects.filter(period=period).aggregate(
        cost=Sum("total_cost_usd"), events=Sum("event_count")
    )
    return found["cost"] or Decimal(0), found["events"] or 0


def ledger_totals() -> tuple[Decimal, int]:
    """The same of the acting tenant's events."""
    return CostEvent.objects.aggregate(cost=Sum("cost_usd"))["cost"] or Decimal(0), CostEvent.objects.count()


def price(tenant=None, **fields) -> ModelPrice:
    """A price row from long ago, negotiated by the acting tenant unless `tenant` says otherwise."""
    fields.setdefault("provider", "openai")
    fields.setdefault("model", "gpt-test")
    fields.setdefault("service", "llm")
    fields.setdefault("effective_from", clock.now().replace(year=2020))
    return ModelPrice.objects.create(tenant=tenant, **fields)


def budget(tenant, limit: str = "1", **fields) -> Budget:
    """A hard-capped monthly budget of `tenant`."""
    fields.setdefault("hard_cap", True)
    with acting_as(tenant):
        return Budget.objects.create(limit_usd=Decimal(limit), **fields)


def at_once(count: int, function: Callable[[int], object], *, threads: int = 16) -> list:
    """`function(number)` for each number, on threads with connections of their own that start together."""
    start = threading.Barrier(min(count, threads))

    def run(number: int) -> object:
        if number < start.parties:
            start.wait(30)
        try:
            return function(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(run, range(count)))
