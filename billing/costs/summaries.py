"""Reading what was spent: the summaries' buckets, grouped as asked."""

from collections.abc import Sequence
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db.models import BigIntegerField, F, QuerySet, Sum
from django.db.models.functions import Cast, Coalesce, TruncMonth, TruncWeek

from billing.costs.models import CostSummary, SummaryPeriod
from billing.costs.timezones import tenant_timezone
from kernel import clock
from kernel.errors import InvalidInput

DIMENSIONS: Final = ("service", "provider", "model", "feature")
DEFAULT_DAYS: Final = 30
MAX_ROWS: Final = 10_000
# Weeks and months are made of days, so that all begin in the tenant's time zone.
LONGER: Final = {SummaryPeriod.WEEK: TruncWeek, SummaryPeriod.MONTH: TruncMonth}


class CostReport(NamedTuple):
    """Rows by period, oldest first, and the totals over all of them."""

    rows: list[dict[str, Any]]
    totals: dict[str, Any]


def summaries(
    *,
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    group_by: str = SummaryPeriod.DAY,
    by: Sequence[str] = (),
) -> CostReport:
    """What the acting tenant spent in the buckets that begin at or after `start` and before `end`, per period and the
    dimensions of `by`. Default: the last 30 days, today included. A date is its midnight in the tenant's time zone.

    Rows have period_start, the named dimensions, total_cost_usd, total_tokens, event_count and unpriced_count (events
    whose price is unknown are in no total_cost_usd). Raises InvalidInput for more than 10,000 rows.
    """
    zone = ZoneInfo(tenant_timezone())
    starts, ends = _bounds(start, end, zone)
    buckets = CostSummary.objects.filter(period_start__gte=starts, period_start__lt=ends).order_by()
    totals = _in(buckets, group_by).aggregate(**_sums())
    grouped = _grouped(buckets, group_by, zone).values("starts", *by).annotate(**_sums())
    rows = list(grouped.order_by("starts", *by)[: MAX_ROWS + 1])
    if len(rows) > MAX_ROWS:
        raise InvalidInput.of(
            "start", f"this makes more than {MAX_ROWS:,} rows; ask for less time or fewer dimensions"
        )
    return CostReport([{"period_start": row.pop("starts"), **row} for row in rows], totals)


def start_of(value: date | datetime) -> datetime:
    """The moment itself; of a date its midnight in the acting tenant's time zone."""
    return value if isinstance(value, datetime) else _moment(value, ZoneInfo(tenant_timezone()))


def _bounds(
    start: date | datetime | None, end: date | datetime | None, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    ends = clock.now() if end is None else _moment(end, zone)
    if start is None:
        starts = _moment(ends.astimezone(zone).date() - timedelta(days=DEFAULT_DAYS - 1), zone)
    else:
        starts = _moment(start, zone)
    if starts >= ends:
        raise InvalidInput.of("start", "must be before end")
    return starts, ends


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    return value if isinstance(value, datetime) else datetime.combine(value, time(), zone)


def _in(buckets: QuerySet[CostSummary], group_by: str) -> QuerySet[CostSummary]:
    return buckets.filter(period=SummaryPeriod.HOUR if group_by == SummaryPeriod.HOUR else SummaryPeriod.DAY)


def _grouped(buckets: QuerySet[CostSummary], group_by: str, zone: ZoneInfo) -> Any:
    truncated = LONGER.get(SummaryPeriod(group_by))
    starts = truncated("period_start", tzinfo=zone) if truncated else F("period_start")
    return _in(buckets, group_by).annotate(starts=starts)


def _sums() -> dict[str, Any]:
    # PostgreSQL sums bigint as numeric: cast, so that a count is a whole number again.
    counts = ("total_tokens", "event_count", "unpriced_count")
    return {
        "total_cost_usd": Coalesce(Sum("total_cost_usd"), Decimal(0)),
        **{name: Cast(Coalesce(Sum(name), 0), BigIntegerField()) for name in counts},
    }
