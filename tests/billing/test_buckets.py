"""Every bucket of every period is the sum of its events, and every span that is asked for too: whatever the zone, the
hour and the order in which events, late ones and corrections come. Checked against sums made in Python."""

from collections import Counter, defaultdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.costs import ledger, reconciling
from billing.costs.latencies import latencies, percentile
from billing.costs.pieces import last_boundary, next_boundary, pieces
from billing.costs.summaries import DIMENSIONS, summaries
from billing.costs.timezones import first_moment
from billing.models import CostEvent, CostSummary, SummaryPeriod
from kernel.errors import InvalidInput
from tenants.context import acting_as
from tests.billing.spending import event, fold_all, live_in, spend

# Half and quarter hours, clocks that change at midnight (back over it: Havana, the Azores; to 01:00: São Paulo until
# 2018), by half an hour (Lord Howe), and a day that never was (Apia).
ZONES = (
    "UTC", "Europe/Berlin", "Asia/Kolkata", "Asia/Kathmandu", "America/St_Johns", "America/Havana", "Atlantic/Azores",
    "America/Sao_Paulo", "Australia/Lord_Howe", "Pacific/Apia", "Africa/Cairo", "America/Los_Angeles",
)  # fmt: skip
TURNS = (
    datetime(2026, 3, 29, 1, tzinfo=UTC), datetime(2025, 10, 26, 1, tzinfo=UTC), datetime(2025, 11, 2, 5, tzinfo=UTC),
    datetime(2018, 11, 4, 3, tzinfo=UTC), datetime(2011, 12, 30, 10, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC),
    datetime(2026, 2, 28, 18, 30, tzinfo=UTC), datetime(2026, 4, 5, 15, tzinfo=UTC),
    datetime(2025, 10, 30, 21, tzinfo=UTC),
)  # fmt: skip

moments = st.one_of(
    st.builds(
        lambda turn, minutes, rest: turn + timedelta(minutes=minutes, microseconds=rest),
        st.sampled_from(TURNS),
        st.integers(-40 * 60, 40 * 60),
        st.sampled_from([0, 0, 1, 999_999]),
    ),
    st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC)),
)
costs = st.none() | st.decimals("0", "2", places=10)
events = st.builds(
    event,
    costs,
    timestamp=moments,
    model=st.sampled_from(["made-up", "gpt-test"]),
    feature=st.sampled_from(["", "chat"]),
    service=st.sampled_from(["llm", "embedding"]),
    latency_ms=st.none() | st.integers(0, 10**6),
    is_cache_hit=st.booleans(),
)
periods = st.sampled_from(SummaryPeriod.values)
patient = settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def expected(zone: ZoneInfo, period: str, start: datetime | None = None, end: datetime | None = None) -> dict:
    """The sums that the acting tenant's ledger makes, by the beginning of each period and the dimensions."""
    sums: dict = defaultdict(lambda: [Decimal(0), 0, 0, 0])
    every = list(CostEvent.objects.order_by("id"))
    mended = {row.corrects_id for row in every if row.corrects_id}
    for row in every:
        if (start and row.timestamp < start) or (end and row.timestamp >= end):
            continue
        key = (last_boundary(row.timestamp, period, zone), *(getattr(row, name) for name in DIMENSIONS))
        is_unpriced = row.corrects_id is None and row.cost_usd is None and row.id not in mended
        parts = (row.cost_usd or 0, row.tokens_used, row.corrects_id is None, is_unpriced)
        sums[key] = [have + more for have, more in zip(sums[key], parts, strict=True)]
    return {key: tuple(value) for key, value in sums.items()}


def correct_one(choice: int) -> None:
    """Give some event of the acting tenant another price, as re-rating does."""
    first = CostEvent.objects.filter(corrects=None).order_by("id")
    chosen = first[choice % first.count()]
    ledger.record(
        [
            event(
                Decimal(choice) - 3,
                service=chosen.service,
                model=chosen.model,
                feature=chosen.feature,
                timestamp=chosen.timestamp,
                usage=None,
                corrects=chosen.id,
            )
        ]
    )


@pytest.mark.django_db(transaction=True)
@given(
    st.lists(
        st.tuples(st.lists(events, min_size=1, max_size=6), st.none() | st.integers(0, 5)),
        min_size=1,
        max_size=4,
    ),
    st.sampled_from(ZONES),
)
@patient
def test_every_bucket_is_the_sum_of_its_events(acme, bolt, batches, zone):
    """Each example adds to what the ones before have left, in another zone."""
    spend(bolt, "1000", timestamp=TURNS[0], model="gpt-test")
    live_in(acme, zone)
    for batch, correction in batches:
        with acting_as(acme):
            ledger.record(batch)
            if correction is not None:
                correct_one(correction)
        fold_all(acme)
    with acting_as(acme):
        assert not reconciling.reconcile()
        for period in SummaryPeriod.values:
            found = {
                (row.period_start, row.service, row.provider, row.model, row.feature): row
                for row in CostSummary.objects.filter(period=period)
            }
            wanted = expected(ZoneInfo(zone), period)
            assert {
                key: (row.total_cost_usd, row.total_tokens, row.event_count, row.unpriced_count)
                for key, row in found.items()
            } == wanted
            for row in found.values():
                ends = next_boundary(row.period_start + timedelta(microseconds=1), period, ZoneInfo(zone))
                assert row.period_end == ends
                assert sum(row.latency_digest.values()) == row.latency_count


@pytest.mark.django_db(transaction=True)
@given(
    st.lists(events, min_size=1, max_size=12),
    st.sampled_from(ZONES),
    st.lists(
        st.tuples(moments, moments, periods, st.sets(st.sampled_from(DIMENSIONS))), min_size=1, max_size=4
    ),
)
@patient
def test_every_span_is_exact(acme, bolt, batch, zone, spans):
    spend(bolt, "1000", timestamp=TURNS[0], model="gpt-test")
    live_in(acme, zone)
    with acting_as(acme):
        ledger.record(batch)
    fold_all(acme)
    with acting_as(acme):
        for one, other, period, by in spans:
            start, end = sorted((one, other))
            if start == end:
                with pytest.raises(InvalidInput, match="start"):
                    summaries(start=start, end=end)
                continue
            report = summaries(start=start, end=end, group_by=period, by=sorted(by))
            wanted: dict = defaultdict(lambda: (Decimal(0), 0, 0, 0))
            for (began, *values), sums in expected(ZoneInfo(zone), period, start, end).items():
                named = dict(zip(DIMENSIONS, values, strict=True))
                key = (began, *(named[name] for name in sorted(by)))
                wanted[key] = tuple(map(sum, zip(wanted[key], sums, strict=True)))
            found = {
                (row["period_start"], *(row[name] for name in sorted(by))): tuple(row.values())[1 + len(by) :]
                for row in report.rows
            }
            assert found == dict(wanted)
            assert tuple(report.totals.values()) == tuple(
                map(sum, zip((Decimal(0), 0, 0, 0), *wanted.values(), strict=True))
            )


@given(moments, moments, periods, st.sampled_from(ZONES))
def test_the_pieces_of_a_span_are_the_span(one, other, period, zone):
    start, end = sorted((one, other))
    cut = sorted(pieces(start, end, period, ZoneInfo(zone)), key=lambda piece: piece.start)
    assert len(cut) <= 9
    if start == end:
        assert cut == []
        return
    assert (cut[0].start, cut[-1].end) == (start, end)
    assert all(before.end == after.start for before, after in pairwise(cut))
    for piece in cut:
        if piece.source != "event":
            assert last_boundary(piece.start, piece.source, ZoneInfo(zone)) == piece.start
            assert last_boundary(piece.end, piece.source, ZoneInfo(zone)) == piece.end


@pytest.mark.django_db
@given(st.dates(date(1990, 1, 1), date(2035, 12, 31)), st.sampled_from(ZONES))
@settings(max_examples=200, deadline=None)
def test_days_begin_at_the_same_moment_for_both(day, zone):
    with connection.cursor() as cursor:
        cursor.execute("SELECT public.first_moment(%s, %s)", [day, zone])
        assert cursor.fetchone()[0] == first_moment(day, ZoneInfo(zone))


@pytest.mark.parametrize(
    ("zone", "day", "hours"),
    [
        ("Europe/Berlin", date(2026, 3, 29), 23),
        ("Europe/Berlin", date(2025, 10, 26), 25),
        ("America/Havana", date(2025, 11, 2), 25),
        ("Australia/Lord_Howe", date(2026, 4, 5), 24.5),
        ("America/Sao_Paulo", date(2018, 11, 4), 23),
    ],
)
def test_a_day_of_a_changing_clock_has_its_true_length(zone, day, hours):
    began, ends = (first_moment(each, ZoneInfo(zone)) for each in (day, day + timedelta(days=1)))
    assert ends - began == timedelta(hours=hours)


@pytest.mark.django_db(transaction=True)
def test_percentiles_are_right_within_five_percent(acme, bolt):
    noon = datetime(2026, 3, 10, 12, tzinfo=UTC)
    spend(bolt, "1", timestamp=noon, latency_ms=10**6)
    for number in range(1, 101):
        spend(acme, "0", timestamp=noon + timedelta(hours=number), latency_ms=number * 20)
    spend(acme, "0", timestamp=noon, latency_ms=None)
    spend(acme, "0", timestamp=noon, latency_ms=50, service="embedding")
    fold_all(acme)
    with acting_as(acme):
        embedding, llm = latencies(
            start=date(2026, 3, 1), end=date(2026, 3, 14), group_by="month", by=["service"]
        )
        (edge,) = latencies(start=noon, end=noon + timedelta(minutes=1), by=["service", "model"])
    assert (embedding["service"], embedding["event_count"]) == ("embedding", 1)
    assert embedding["p50_ms"] == embedding["p95_ms"] == pytest.approx(50, rel=0.05)
    seen = sum(noon + timedelta(hours=number) < datetime(2026, 3, 14, tzinfo=UTC) for number in range(1, 101))
    assert (llm["period_start"], llm["event_count"]) == (datetime(2026, 3, 1, tzinfo=UTC), seen)
    assert llm["p50_ms"] == pytest.approx(seen * 10, rel=0.06)
    assert llm["p95_ms"] == pytest.approx(seen * 19, rel=0.06)
    assert (edge["model"], edge["event_count"]) == ("gpt-test", 1)


@given(st.lists(st.integers(1, 10**6), min_size=1, max_size=50), st.sampled_from([0.5, 0.95]))
def test_a_percentile_lies_in_the_step_of_its_rank(values, share):
    counts = Counter()
    for value in values:
        step = 0
        while 1.1 ** (step + 1) <= value:
            step += 1
        counts[step] += 1
    exact = sorted(values)[max(0, -(-int(len(values) * share * 1000) // 1000) - 1)]
    assert percentile(sorted(counts.items()), share) == pytest.approx(exact, rel=0.06, abs=1)
