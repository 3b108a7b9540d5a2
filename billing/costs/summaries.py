"""Reading what was spent: the summaries' buckets, grouped as asked."""

from collections.abc import Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from django.db import connection

from billing.costs import rollup
from billing.costs.models import DIMENSIONS, RollupWatermark, SummaryPeriod
from billing.costs.pieces import next_boundary, pieces
from billing.costs.statements import composed
from billing.costs.timezones import first_moment, tenant_timezone
from kernel import clock
from kernel.errors import InvalidInput

__all__ = ["DIMENSIONS", "CostReport", "named", "read_parts", "start_of", "summaries"]

SUMS: Final = ("total_cost_usd", "total_tokens", "event_count", "unpriced_count")
DEFAULT_DAYS: Final = 30
MAX_ROWS: Final = 10_000
INSTANT: Final = timedelta(microseconds=1)


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
    """What the acting tenant spent from `start` up to `end`, not included, per hour, day, week or month and by any of
    DIMENSIONS. Default: the last 30 days, today included. A date is its midnight in the tenant's time zone.

    Rows have period_start (of the whole period, also where the span begins within it), the named dimensions,
    total_cost_usd, total_tokens, event_count and unpriced_count (events whose price is unknown are in no
    total_cost_usd). They are read from the coarsest buckets that fit; a span that begins or ends within one is exact,
    to the microsecond as long as its events are kept, else to the hour. Raises InvalidInput for more than 10,000 rows.
    """
    totals, *found = read_parts("sum_costs", start, end, group_by, by, limit=MAX_ROWS + 2)
    if len(found) > MAX_ROWS:
        raise InvalidInput.of(
            "start", f"this makes more than {MAX_ROWS:,} rows; ask for less time or fewer dimensions"
        )
    rows = [{**named(row, by), **_sums(row)} for row in found]
    return CostReport(rows, _sums(totals))


def start_of(value: date | datetime) -> datetime:
    """The moment itself; of a date its midnight in the acting tenant's time zone."""
    return _moment(value, ZoneInfo(tenant_timezone()))


def read_parts(
    name: str,
    start: date | datetime | None,
    end: date | datetime | None,
    group_by: str,
    by: Sequence[str],
    **values: Any,
) -> list[tuple[Any, ...]]:
    """The rows of a statement over cost_parts.sql, whose first tells in its first column in which zone the summaries
    were cut when they were read. A span as `summaries` has it; raises InvalidInput where it ends before it starts."""
    mark = RollupWatermark.objects.values_list("timezone", "layout").first()
    while True:
        zone_name, layout = mark or (tenant_timezone(), rollup.LAYOUT)
        zone = ZoneInfo(zone_name)
        starts, ends = _bounds(start, end, group_by, zone)
        # Weeks and months of an older layout are not there before the next fold.
        coarsest = (
            SummaryPeriod.DAY if layout != rollup.LAYOUT and group_by != SummaryPeriod.HOUR else group_by
        )
        found = list(pieces(starts, ends, coarsest, zone))
        asked: dict[str, Any] = {
            "sources": [piece.source for piece in found],
            "starts": [piece.start for piece in found],
            "ends": [piece.end for piece in found],
            "group_by": str(group_by),
            "by": list(by),
            "zone": zone_name,
        }
        with connection.cursor() as cursor:
            cursor.execute(composed(name), {**asked, **values})
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        cut_in = rows[0][0]
        if mark is None or cut_in == zone_name:
            return rows
        # The tenant moved to another zone between the two statements: cut the span as its summaries are now.
        mark = RollupWatermark.objects.values_list("timezone", "layout").first()


def named(row: Sequence[Any], by: Sequence[str]) -> dict[str, Any]:
    """The period and the dimensions of a row of `read_parts`."""
    dimensions = dict(zip(DIMENSIONS, row[2:6], strict=True))
    return {"period_start": row[1], **{name: dimensions[name] for name in by}}


def _sums(row: Sequence[Any]) -> dict[str, Any]:
    return dict(zip(SUMS, row[6:], strict=True))


def _bounds(
    start: date | datetime | None, end: date | datetime | None, group_by: str, zone: ZoneInfo
) -> tuple[datetime, datetime]:
    # Without an end, up to that of the running period: its bucket is read, not the events of the running hour.
    ends = next_boundary(clock.now() + INSTANT, group_by, zone) if end is None else _moment(end, zone)
    if start is None:
        latest = clock.now() if end is None else ends
        starts = first_moment(latest.astimezone(zone).date() - timedelta(days=DEFAULT_DAYS - 1), zone)
    else:
        starts = _moment(start, zone)
    if starts >= ends:
        raise InvalidInput.of("start", "must be before end")
    return starts, ends


def _moment(value: date | datetime, zone: ZoneInfo) -> datetime:
    return value if isinstance(value, datetime) else first_moment(value, zone)
