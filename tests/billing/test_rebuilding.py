"""Summaries made anew: by command, by a move to another zone, after retention; and what reconcile finds."""

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.db import connection, transaction

from billing.costs import budgets, debounce, reconciling, rollup
from billing.costs.summaries import summaries
from billing.models import CostEvent, CostSummary, RollupWatermark
from tenants.context import acting_as
from tenants.models import Tenant
from tenants.owner import owner_connection
from tests.billing.spending import budget, fold_all, ledger_totals, live_in, spend, totals
from tests.conversations import session
from widgets.models import Session

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)
PERIODS = ("hour", "day", "week", "month")


def whole_book() -> list:
    """Every summary of the acting tenant, its id and times of writing aside."""
    columns = [
        field.attname
        for field in CostSummary._meta.concrete_fields
        if field.name not in ("id", "created_at", "updated_at")
    ]
    return sorted(map(str, CostSummary.objects.values_list(*columns)))


def test_readers_see_the_old_sums_or_the_new_ones(acme, bolt):
    spend(acme, *["1"] * 20, timestamp=NOON)
    spend(bolt, "100", timestamp=NOON)
    fold_all(acme)
    seen, stop = [], threading.Event()

    def keep_reading():
        while not stop.is_set():
            with acting_as(acme):
                report = summaries(start=date(2026, 1, 1), end=date(2026, 5, 1), group_by="month")
            seen.append((report.totals["total_cost_usd"], sum(row["total_cost_usd"] for row in report.rows)))
        connection.close()

    readers = [threading.Thread(target=keep_reading) for _ in range(2)]
    for reader in readers:
        reader.start()
    for zone in ("Asia/Kolkata", "America/Havana", "UTC"):
        call_command("rebuild_summaries", tenant=acme.slug, stdout=StringIO())
        live_in(acme, zone)
        fold_all(acme)
    stop.set()
    for reader in readers:
        reader.join(30)
    assert len(seen) > 5
    assert set(seen) == {(Decimal(20), Decimal(20))}


def test_the_command_makes_anew_what_begins_at_a_day_or_later(acme, bolt):
    for tenant in (acme, bolt):
        live_in(tenant, "Asia/Kolkata")
        for days in (0, 1, 30, 60):
            spend(tenant, "1", timestamp=NOON - timedelta(days=days), latency_ms=100)
        fold_all(tenant)
    with acting_as(acme):
        whole = whole_book()
        CostSummary.objects.update(total_cost_usd=9)
    spend(acme, "1", timestamp=NOON)
    spend(acme, "1", timestamp=NOON - timedelta(days=60))
    with acting_as(bolt):
        CostSummary.objects.update(total_cost_usd=9)
    out = StringIO()
    call_command("rebuild_summaries", "--tenant", "acme", "--since", "2026-03-10", stdout=out)
    assert out.getvalue().startswith("1 of 1: tenant ")
    fold_all(acme)
    with acting_as(acme):
        days = CostSummary.objects.filter(period="day").order_by("period_start")
        assert [day.total_cost_usd for day in days] == [10, 9, 9, 2]
        assert {row.total_cost_usd for row in CostSummary.objects.filter(period="month")} == {9, 10}
        hour = CostSummary.objects.get(period="hour", period_start=NOON.replace(minute=0))
        assert (hour.total_cost_usd, hour.event_count, hour.latency_count) == (2, 2, 1)
    with acting_as(bolt):
        assert set(CostSummary.objects.values_list("total_cost_usd", flat=True)) == {9}
    call_command("rebuild_summaries", stdout=StringIO())
    fold_all(acme)
    with acting_as(acme):
        assert not reconciling.reconcile()
        assert len(whole_book()) == len(whole)
    with acting_as(bolt):
        assert not reconciling.reconcile()


@pytest.mark.parametrize("wrong", [["--tenant", "nobody"], ["--since", "soon"]])
def test_a_tenant_or_a_day_that_is_none_is_refused(acme, wrong):
    with pytest.raises(CommandError, match=wrong[1]):
        call_command("rebuild_summaries", *wrong)


def test_saving_a_tenant_asks_for_its_fold(acme, bolt, monkeypatch):
    asked = []
    monkeypatch.setattr(debounce, "fold_soon", lambda tenant: asked.append(tenant.id))
    with acting_as(acme):
        acme.settings = {"timezone": "Asia/Kolkata"}
        acme.save()
        assert asked == [], "not before it is committed"
    assert asked == [acme.pk]
    spend(acme, "1", timestamp=NOON)
    monkeypatch.undo()
    fold_all(acme)
    with acting_as(acme):
        assert RollupWatermark.objects.get().timezone == "Asia/Kolkata"


def test_summaries_of_an_older_layout_are_made_anew(acme, bolt):
    spend(acme, "1", "2", timestamp=NOON)
    spend(bolt, "5", timestamp=NOON)
    fold_all(acme)
    fold_all(bolt)
    with acting_as(acme):
        whole = whole_book()
        CostSummary.objects.filter(period__in=["week", "month"]).delete()
        RollupWatermark.objects.update(layout=0)
        report = summaries(start=date(2026, 3, 1), end=date(2026, 4, 1), group_by="month")
        assert report.totals["total_cost_usd"] == 3, "read from days until then"
    call_command("rollup", rebase=True)
    with acting_as(acme):
        assert whole_book() == whole
        RollupWatermark.objects.update(layout=0)
    fold_all(acme)
    with acting_as(acme):
        assert whole_book() == whole
        assert RollupWatermark.objects.get().layout == rollup.LAYOUT


def test_summaries_outlive_their_events(acme, bolt):
    """Retention: sums become final and events go; late ones, another zone, a rebuild, a restore leave them right."""
    cut = datetime(2026, 3, 10, 12, 45, tzinfo=UTC)
    for tenant in (acme, bolt):
        spend(tenant, "1", "2", timestamp=cut - timedelta(minutes=5), latency_ms=300)
        spend(tenant, "4", timestamp=cut + timedelta(minutes=5))
        spend(tenant, "8", timestamp=cut + timedelta(days=9))
        fold_all(tenant)
    with acting_as(acme):
        rollup.finalise(cut)
    _as_owner(acme, f"DELETE FROM cost_events WHERE timestamp < '{cut.isoformat()}'")
    _hold_true(acme, Decimal(15), 4)
    with acting_as(acme):
        assert ledger_totals() == (Decimal(12), 2)
    spend(acme, "16", timestamp=cut - timedelta(minutes=3))
    fold_all(acme)
    _hold_true(acme, Decimal(31), 5)
    for zone in ("Asia/Kathmandu", "America/Havana"):
        live_in(acme, zone)
        fold_all(acme)
        _hold_true(acme, Decimal(31), 5)
    with acting_as(acme):
        rollup.rebuild_summaries()
    _hold_true(acme, Decimal(31), 5)
    with acting_as(acme):
        rollup.rebuild_summaries(cut - timedelta(days=1))
        rollup.finalise(cut - timedelta(days=1))
    _hold_true(acme, Decimal(31), 5)
    spend(acme, "32", timestamp=cut - timedelta(minutes=4))
    with acting_as(acme):
        RollupWatermark.objects.update(cluster=1)
    call_command("rollup", rebase=True)
    fold_all(acme)
    _hold_true(acme, Decimal(63), 6)
    with acting_as(acme):
        rollup.finalise(cut + timedelta(days=1))
    _as_owner(acme, f"DELETE FROM cost_events WHERE timestamp < '{(cut + timedelta(days=1)).isoformat()}'")
    _hold_true(acme, Decimal(63), 6)
    with acting_as(acme), pytest.raises(ValueError, match="40 days"):
        rollup.finalise(datetime.now(UTC) - timedelta(days=39))
    _hold_true(bolt, Decimal(15), 4)
    with acting_as(bolt):
        assert CostEvent.objects.count() == 4


def test_reconcile_compares_sessions_and_budgets_too(acme, bolt):
    ours, theirs = session(acme), session(bolt)
    cap = budget(acme, "50")
    for tenant, one in ((acme, ours), (bolt, theirs)):
        spend(tenant, "1", "2", session_id=one.pk)
        fold_all(tenant)
    with acting_as(acme):
        budgets.refresh(recount=True)
    call_command("reconcile", stdout=(out := StringIO()))
    assert out.getvalue() == "summaries, sessions and budgets are what the ledger says\n"
    with acting_as(acme):
        Session.objects.filter(pk=ours.pk).update(cost_usd=5)
        type(cap).objects.update(spent=7)
    err = StringIO()
    with pytest.raises(CommandError, match="0 buckets, 1 sessions and 1 budgets of 1 tenants") as refused:
        call_command("reconcile", stderr=err)
    assert refused.value.returncode == 1
    assert f"session {ours.pk}: $5.0000000000, $3.0000000000 in the ledger" in err.getvalue()
    assert str(cap.pk) in err.getvalue()
    assert str(theirs.pk) not in err.getvalue()
    call_command("reconcile", tenant="bolt", stdout=StringIO())
    call_command("reconcile", repair=True, stdout=StringIO(), stderr=StringIO())
    call_command("reconcile", stdout=StringIO())
    with acting_as(acme):
        assert Session.objects.get(pk=ours.pk).cost_usd == 3
    with acting_as(bolt):
        assert Session.objects.get(pk=theirs.pk).cost_usd == 3


def test_events_without_a_price_are_told_of_once(acme, caplog):
    spend(acme, None, model="made-up")
    spend(acme, "1")
    fold_all(acme)
    fold_all(acme)
    with acting_as(acme):
        rollup.rebuild_summaries()
    told = [record.getMessage() for record in caplog.records if "no price" in record.getMessage()]
    assert len(told) == 1
    assert "1 new cost events" in told[0]


def _hold_true(tenant, cost: Decimal, events: int) -> None:
    with acting_as(tenant):
        for period in PERIODS:
            assert totals(period) == (cost, events), period
        report = summaries(start=date(2026, 1, 1), end=date(2026, 12, 1), group_by="month")
        assert report.totals["total_cost_usd"] == cost
        assert not reconciling.reconcile()


def _as_owner(tenant, statement: str) -> None:
    with owner_connection(), transaction.atomic(), acting_as(tenant):
        connection.cursor().execute(statement)


def test_a_new_tenant_needs_no_fold(db, monkeypatch):
    asked = []
    monkeypatch.setattr(debounce, "fold_soon", lambda tenant: asked.append(tenant.id))
    debounce.fold_once_saved(Tenant, Tenant(), created=True)
    assert asked == []
