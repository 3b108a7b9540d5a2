"""Prices that came late or changed, applied to events that are booked."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command

from ai.usage import Usage
from billing.costs import ledger, pricing, reconciling
from billing.costs.rerating import Selection, rerate
from billing.costs.summaries import summaries
from billing.models import CostEvent, ModelPrice
from kernel import clock
from tenants.context import TenantRef, acting_as
from tests.billing.spending import at_once, budget, event, fold_all, price, spend
from tests.conversations import session
from widgets.models import Session

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
MILLION = Usage(input_tokens=1_000_000)


@pytest.fixture(autouse=True)
def _prices_are_read_anew():
    pricing.forget()
    yield
    pricing.forget()


def rerated(tenant, **options) -> list[Decimal]:
    ref = TenantRef(tenant.pk, tenant.schema_name)
    return [found.difference_usd for found in rerate(ref, **options)]


def test_a_late_price_reaches_the_events_of_its_time(acme, bolt):
    ours = session(acme)
    for tenant in (acme, bolt):
        spend(
            tenant, None, None, usage=MILLION, timestamp=NOON, session_id=ours.pk if tenant is acme else None
        )
        fold_all(tenant)
    with acting_as(acme):
        price(acme, input=Decimal(3), effective_from=NOON - timedelta(days=1))
    assert rerated(acme, dry_run=True) == [3, 3]
    assert rerated(acme) == [3, 3]
    assert rerated(acme) == [], "once"
    assert rerated(bolt) == [], "it is acme's price"
    fold_all(acme)
    with acting_as(acme):
        for period in ("hour", "month"):
            report = summaries(start=NOON - timedelta(days=9), end=NOON + timedelta(days=9), group_by=period)
            assert list(report.totals.values()) == [6, 2_000_000, 2, 0]
        correction = CostEvent.objects.exclude(corrects=None).order_by("id")[0]
        assert (correction.timestamp, correction.tokens_used, correction.latency_ms) == (NOON, 0, None)
        assert correction.metadata == {"reason": "rerated", "was": None}
        assert Session.objects.get(pk=ours.pk).cost_usd == 6
        assert not reconciling.reconcile()
    with acting_as(bolt):
        assert CostEvent.objects.filter(cost_usd=None).count() == CostEvent.objects.count() == 2


def test_a_changed_price_is_booked_as_the_difference(acme, bolt):
    with acting_as(acme):
        row = price(acme, input=Decimal(3))
    cap = budget(acme, "50")
    spend(acme, None, usage=MILLION)
    for now, difference in (("5", 2), ("1", -4), ("3", 2)):
        with acting_as(acme):
            ModelPrice.objects.filter(pk=row.pk).update(input=Decimal(now))
        assert rerated(acme) == [difference]
        with acting_as(acme):
            cap.refresh_from_db()
        assert cap.spent == Decimal(now)
    fold_all(acme)
    with acting_as(acme):
        assert not reconciling.reconcile()
        assert CostEvent.objects.get(corrects=None).cost_usd == 3, "the first is as it was"


def test_what_is_given_free_or_unknown_stays(acme, bolt):
    spend(acme, "7", usage=MILLION)
    spend(acme, "0", usage=MILLION)
    spend(acme, None, usage=MILLION, provider="local", model="minilm")
    spend(acme, None, usage=MILLION, model="never-heard-of")
    spend(acme, None, usage=None, units=Decimal(60), service="voice_stt", model="ears")
    with acting_as(acme):
        price(acme, input=Decimal(3))
        price(acme, input=Decimal("0.01"), service="voice_stt", model="ears", unit="seconds")
    assert rerated(acme) == [Decimal("0.6")]


def test_two_at_once_correct_once(acme, bolt):
    spend(acme, *[None] * 20, usage=MILLION)
    with acting_as(acme):
        price(acme, input=Decimal(3))
    at_once(4, lambda _: rerated(acme), threads=4)
    with acting_as(acme):
        assert CostEvent.objects.exclude(corrects=None).count() == 20
    assert rerated(acme) == []


def test_a_selection_is_a_span_and_a_model(acme):
    for days, model in ((0, "gpt-test"), (5, "gpt-test"), (0, "other")):
        spend(acme, None, usage=MILLION, model=model, timestamp=NOON - timedelta(days=days))
    with acting_as(acme):
        price(acme, input=Decimal(3))
        price(acme, input=Decimal(4), model="other")
    assert rerated(acme, selection=Selection(start=NOON, model="gpt-test"), dry_run=True) == [3]
    assert rerated(acme, selection=Selection(end=NOON), dry_run=True) == [3]
    assert rerated(acme, selection=Selection(provider="nobody"), dry_run=True) == []
    assert sorted(rerated(acme)) == [3, 3, 4]


def test_more_than_a_batch_is_corrected(acme, monkeypatch):
    monkeypatch.setattr("billing.costs.rerating.BATCH", 3)
    spend(acme, *[None] * 7, usage=MILLION)
    with acting_as(acme):
        price(acme, input=Decimal(3))
    assert len(rerated(acme)) == 7


def test_the_command_says_what_changes(acme, bolt):
    for tenant in (acme, bolt):
        spend(tenant, None, usage=MILLION, timestamp=clock.now() - timedelta(days=2))
        with acting_as(tenant):
            price(tenant, input=Decimal(3))
    out = StringIO()
    call_command("rerate", "--dry-run", "--tenant", "acme", stdout=out)
    assert out.getvalue() == f"tenant {acme.pk}: 1 events of openai:gpt-test would change by $+3.0000000000\n"
    call_command(
        "rerate", "--tenant", "acme", "--model", "openai:gpt-test", "--since", "2026-01-01", stdout=out
    )
    assert out.getvalue().endswith("1 events of openai:gpt-test changed by $+3.0000000000\n")
    assert len(rerated(bolt, dry_run=True)) == 1
    with pytest.raises(CommandError, match="provider:model"):
        call_command("rerate", "--model", "gpt-test")


def test_an_event_and_its_correction_are_told_apart(acme):
    with acting_as(acme):
        (first,) = ledger.record([event("1")])
        ledger.record([event("-0.4", usage=None, corrects=first.id)])
    fold_all(acme)
    with acting_as(acme):
        totals = summaries().totals
    assert (totals["total_cost_usd"], totals["event_count"], totals["total_tokens"]) == (
        Decimal("0.6"),
        1,
        100,
    )
