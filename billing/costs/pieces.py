"""A span of time cut into the fewest buckets that make it up: whole months or weeks, days and hours at its edges, and
what is less than an hour as events."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Final, NamedTuple
from zoneinfo import ZoneInfo

from billing.costs.models import SummaryPeriod
from billing.costs.timezones import first_moment

EVENT: Final = "event"
# What each period is made of. Weeks do not fit into months.
FINER: Final = {
    SummaryPeriod.MONTH: SummaryPeriod.DAY,
    SummaryPeriod.WEEK: SummaryPeriod.DAY,
    SummaryPeriod.DAY: SummaryPeriod.HOUR,
    SummaryPeriod.HOUR: None,
}
HOUR: Final = timedelta(hours=1)


class Piece(NamedTuple):
    """All buckets of the period `source` that begin at or after `start` and before `end`, or the events of then."""

    source: str
    start: datetime
    end: datetime


def pieces(start: datetime, end: datetime, period: str, zone: ZoneInfo) -> Iterator[Piece]:
    """The span from `start` up to `end`, in buckets of `period` at most."""
    if start >= end:
        return
    first, last = next_boundary(start, period, zone), last_boundary(end, period, zone)
    finer = FINER[SummaryPeriod(period)]
    if first < last:
        yield Piece(period, first, last)
    # Also where no whole bucket fits: a finer one must not reach over the boundary between.
    for edge in ((start, first), (last, end)) if first <= last else ((start, end),):
        if finer is not None:
            yield from pieces(*edge, finer, zone)
        elif edge[0] < edge[1]:
            yield Piece(EVENT, *edge)


def last_boundary(moment: datetime, period: str, zone: ZoneInfo) -> datetime:
    """When the bucket of `moment` began, in UTC."""
    if period == SummaryPeriod.HOUR:
        return moment.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
    return first_moment(_first_day(moment.astimezone(zone).date(), period), zone)


def next_boundary(moment: datetime, period: str, zone: ZoneInfo) -> datetime:
    """The first beginning of a bucket at or after `moment`, in UTC."""
    began = last_boundary(moment, period, zone)
    if began == moment:
        return began
    if period == SummaryPeriod.HOUR:
        return began + HOUR
    day = _first_day(moment.astimezone(zone).date(), period)
    return first_moment(_first_day(day + timedelta(days={"day": 1, "week": 7}.get(period, 31)), period), zone)


def _first_day(day: date, period: str) -> date:
    if period == SummaryPeriod.WEEK:
        return day - timedelta(days=day.weekday())
    return day.replace(day=1) if period == SummaryPeriod.MONTH else day
