"""The fold: every event once, whoever writes, fails, comes late or dies meanwhile."""

import random
import threading
import time
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command
from django.db import OperationalError, connection, transaction

from billing import tasks
from billing.costs import debounce, ledger, reconciling, rollup
from billing.models import CostEvent, CostSummary, RollupWatermark
from tenants.context import acting_as
from tenants.owner import owner_connection
from tests.billing.spending import event, fold_all, ledger_totals, live_in, spend, totals

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 10, 12, 30, tzinfo=UTC)


def test_hours_and_days_are_the_sums_of_their_events(acme, bolt):
    spend(bolt, "100", timestamp=NOON)
    spend(acme, "1", "2", timestamp=NOON, latency_ms=100)
    spend(acme, "4", timestamp=NOON + timedelta(hours=1), latency_ms=None, is_cache_hit=True)
    spend(acme, "8", timestamp=NOON, service="embedding", model="small", feature="ingest")
    spend(acme, None, timestamp=NOON, model="made-up")
    fold_all(acme)
    with acting_as(acme):
        rows = {
            (row.period, row.period_start.hour, row.model, row.feature): row
            for row in CostSummary.objects.all()
        }
    assert len(rows) == 13
    noon = rows["hour", 12, "gpt-test", ""]
    assert (noon.total_cost_usd, noon.total_tokens, noon.event_count) == (Decimal(3), 200, 2)
    assert (noon.latency_sum_ms, noon.latency_count, noon.cache_hits, noon.unpriced_count) == (200, 2, 0, 0)
    assert noon.period_end - noon.period_start == timedelta(hours=1)
    day = rows["day", 0, "gpt-test", ""]
    assert (day.total_cost_usd, day.event_count, day.latency_count, day.cache_hits) == (Decimal(7), 3, 2, 1)
    assert rows["day", 0, "small", "ingest"].total_cost_usd == 8
    unpriced = rows["day", 0, "made-up", ""]
    assert (unpriced.total_cost_usd, unpriced.unpriced_count, unpriced.event_count) == (Decimal(0), 1, 1)
    with acting_as(bolt):
        assert totals() == (Decimal(0), 0)


def test_a_second_fold_adds_nothing_and_a_late_event_its_own(acme):
    spend(acme, "1", timestamp=NOON)
    for _ in range(2):
        fold_all(acme)
    spend(acme, "2", timestamp=NOON - timedelta(days=90))
    fold_all(acme)
    with acting_as(acme):
        assert totals() == totals("day") == (Decimal(3), 2)
        assert CostSummary.objects.get(period="day", period_start__year=2025).total_cost_usd == 2


def test_an_event_of_a_running_transaction_is_folded_once_it_is_over(acme):
    written, finish = threading.Event(), threading.Event()

    def write_slowly():
        try:
            with acting_as(acme):
                ledger.record([event("1")])
                written.set()
                assert finish.wait(20)
        finally:
            connection.close()

    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert written.wait(20)
    spend(acme, "2")
    with acting_as(acme):
        assert rollup.fold() == rollup.Fold(is_pending=True)
    with acting_as(acme):
        assert totals() == (Decimal(0), 0), "nothing at or after the running transaction may be counted yet"
    finish.set()
    writer.join()
    fold_all(acme)
    with acting_as(acme):
        assert totals() == (Decimal(3), 2)


def test_two_folds_of_a_tenant_do_not_meet(acme, bolt):
    spend(acme, "1")
    fold_all(acme)
    with acting_as(acme):
        RollupWatermark.objects.select_for_update().get()
        results = []

        def fold_meanwhile(tenant):
            try:
                with acting_as(tenant):
                    results.append(rollup.fold().was_busy)
            finally:
                connection.close()

        for tenant in (acme, bolt):
            thread = threading.Thread(target=fold_meanwhile, args=(tenant,))
            thread.start()
            thread.join(20)
    assert results == [True, False]


@pytest.mark.parametrize("seed", range(2))
def test_exact_whatever_writers_do(acme, bolt, seed):
    """Two tenants, eight writers with delays, rollbacks, late events and killed connections, folds all along."""
    tenants, stop = (acme, bolt), threading.Event()
    survivors = threading.Lock(), {acme.pk: 0, bolt.pk: 0}

    def write(number):
        chance = random.Random(seed * 100 + number)
        for _ in range(25):
            tenant = chance.choice(tenants)
            count = chance.randint(1, 4)
            try:
                with acting_as(tenant):
                    ledger.record(
                        [
                            event(
                                Decimal(chance.randint(0, 10**6)) / 10**8,
                                timestamp=NOON - timedelta(hours=chance.choice([0, 0, 1, 30, 1000])),
                                model=chance.choice(["a", "b"]),
                            )
                            for _ in range(count)
                        ]
                    )
                    time.sleep(chance.random() * 0.02)
                    fate = chance.random()
                    if fate < 0.15:
                        raise ZeroDivisionError
                    if fate < 0.25:
                        connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")
                with survivors[0]:
                    survivors[1][tenant.pk] += count
            except (ZeroDivisionError, OperationalError):
                connection.close()
        connection.close()

    def keep_folding():
        while not stop.is_set():
            for tenant in tenants:
                with acting_as(tenant):
                    rollup.fold()
        connection.close()

    writers = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    folders = [threading.Thread(target=keep_folding) for _ in range(2)]
    for thread in (*folders, *writers):
        thread.start()
    for thread in writers:
        thread.join(120)
    stop.set()
    for thread in folders:
        thread.join(30)
    for tenant in tenants:
        fold_all(tenant)
        with acting_as(tenant):
            assert totals() == totals("day") == totals("week") == totals("month") == ledger_totals()
            assert totals()[1] == survivors[1][tenant.pk]
            assert not reconciling.reconcile()


def test_days_begin_where_the_tenant_lives(acme, bolt):
    for tenant in (acme, bolt):
        spend(tenant, "1", timestamp=datetime(2026, 3, 10, 18, 15, tzinfo=UTC))
        spend(tenant, "2", timestamp=datetime(2026, 3, 10, 18, 45, tzinfo=UTC))
    live_in(acme, "Asia/Kolkata")
    for tenant in (acme, bolt):
        fold_all(tenant)
    with acting_as(acme):
        days = CostSummary.objects.filter(period="day").order_by("period_start")
        assert [(day.period_start, day.total_cost_usd) for day in days] == [
            (datetime(2026, 3, 9, 18, 30, tzinfo=UTC), Decimal(1)),
            (datetime(2026, 3, 10, 18, 30, tzinfo=UTC), Decimal(2)),
        ]
        assert totals() == (Decimal(3), 2)
    with acting_as(bolt):
        assert CostSummary.objects.get(period="day").period_start == datetime(2026, 3, 10, tzinfo=UTC)


def test_a_day_of_a_changing_clock_has_its_true_length(acme):
    live_in(acme, "Europe/Berlin")
    spend(acme, "1", timestamp=datetime(2026, 3, 29, 12, tzinfo=UTC))
    fold_all(acme)
    with acting_as(acme):
        day = CostSummary.objects.get(period="day")
        assert day.period_end - day.period_start == timedelta(hours=23)


def test_moving_to_another_zone_cuts_the_days_anew(acme):
    spend(acme, "1", "2", timestamp=datetime(2026, 3, 10, 23, tzinfo=UTC))
    fold_all(acme)
    live_in(acme, "Europe/Berlin")
    fold_all(acme)
    with acting_as(acme):
        assert CostSummary.objects.get(period="day").period_start == datetime(2026, 3, 10, 23, tzinfo=UTC)
        assert totals() == totals("day") == (Decimal(3), 2)


@pytest.mark.parametrize("zone", ["Atlantis/Lost", "../../etc/passwd", 7, None, ""])
def test_a_zone_that_does_not_exist_is_utc(acme, zone):
    live_in(acme, zone)
    spend(acme, "1", timestamp=NOON)
    fold_all(acme)
    with acting_as(acme):
        assert CostSummary.objects.get(period="day").period_start == datetime(2026, 3, 10, tzinfo=UTC)


def test_reconcile_finds_what_is_wrong_and_a_rebuild_mends_it(acme, bolt):
    for tenant in (acme, bolt):
        spend(tenant, "1", "2", timestamp=NOON)
        fold_all(tenant)
    with acting_as(acme):
        CostSummary.objects.filter(period="hour").update(total_cost_usd=Decimal(7))
        CostSummary.objects.filter(period="day").delete()
        wrong = reconciling.reconcile().summaries
        assert [(row.period, row.total_cost_usd, row.expected_cost_usd) for row in wrong] == [
            ("day", None, Decimal(3)),
            ("hour", Decimal(7), Decimal(3)),
        ]
    with pytest.raises(CommandError, match="2 buckets, 0 sessions and 0 budgets of 1 tenants"):
        call_command("reconcile", verbosity=0)
    with acting_as(acme):
        rollup.rebuild_summaries()
        assert not reconciling.reconcile()
    call_command("reconcile", verbosity=0)
    with acting_as(bolt):
        assert totals() == (Decimal(3), 2)


def test_a_database_restored_elsewhere_counts_each_event_once(acme, bolt):
    spend(acme, "1", "2", timestamp=NOON)
    spend(bolt, "5", timestamp=NOON)
    fold_all(acme)
    fold_all(bolt)
    with acting_as(acme):
        RollupWatermark.objects.update(cluster=1)
    # As after a restore into a younger cluster: some numbers lie in this one's future.
    _as_owner(acme, "UPDATE cost_events SET xid = '999999999999' WHERE cost_usd = 2")
    with pytest.raises(rollup.RestoredDatabase), acting_as(acme):
        rollup.fold()
    tasks.sweep_rollups()
    call_command("rollup", rebase=True, verbosity=0)
    spend(acme, "4", timestamp=NOON)
    fold_all(acme)
    with acting_as(acme):
        assert totals() == totals("day") == ledger_totals() == (Decimal(7), 3)
        assert not reconciling.reconcile()
        assert all(xid < 999999999999 for xid in CostEvent.objects.values_list("xid", flat=True))
    with acting_as(bolt):
        assert totals() == (Decimal(5), 1)


def test_the_sweep_folds_every_tenant_and_passes_over_trouble(acme, bolt, cargo):
    for tenant in (acme, bolt, cargo):
        spend(tenant, "1")
    with acting_as(acme):
        RollupWatermark.objects.create(folded_to=0, cluster=1, timezone="UTC")
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        tasks.sweep_rollups()
        with acting_as(bolt):
            ours = totals()
        with acting_as(cargo):
            theirs = totals()
        if ours[1] and theirs[1]:
            break
    assert ours == theirs == (Decimal(1), 1)


def test_the_task_comes_back_for_what_it_could_not_fold(acme, monkeypatch):
    asked = []
    monkeypatch.setattr(debounce, "fold_soon", lambda tenant: asked.append(tenant.id))
    monkeypatch.setattr(rollup, "fold", lambda: rollup.Fold(is_pending=True))
    with acting_as(acme):
        tasks.fold.apply(headers={"tenant_id": str(acme.pk)}).get()
    monkeypatch.setattr(rollup, "fold", rollup.Fold)
    with acting_as(acme):
        tasks.fold.apply(headers={"tenant_id": str(acme.pk)}).get()
    assert asked == [acme.pk]


def test_a_fold_reads_only_what_is_new(acme):
    """Under row-level security as the application's role: the index on (tenant, xid), not the whole ledger."""
    for _ in range(5):
        spend(acme, *["0.1"] * 200, timestamp=NOON)
    fold_all(acme)
    _as_owner(acme, "ANALYZE cost_events")
    spend(acme, "1", timestamp=NOON)
    with acting_as(acme), connection.cursor() as cursor:
        mark = RollupWatermark.objects.get().folded_to
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) SELECT sum(cost_usd) FROM cost_events "
            "WHERE xid >= %s::xid8 AND xid < pg_snapshot_xmin(pg_current_snapshot())",
            [str(mark)],
        )
        assert "cost_events_by_xid" in str(cursor.fetchone()[0])


def _as_owner(tenant, statement):
    with owner_connection(), transaction.atomic(), acting_as(tenant):
        connection.cursor().execute(statement)
