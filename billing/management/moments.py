"""Days and moments as commands are given them."""

from argparse import ArgumentTypeError
from datetime import UTC, date, datetime

from django.utils.dateparse import parse_date, parse_datetime

from billing.costs.summaries import start_of


def day_or_moment(text: str) -> date | datetime:
    """`2026-03-10`, or `2026-03-10T12:00:00Z` (without an offset: UTC). Raises ArgumentTypeError for anything else."""
    try:
        found = parse_date(text) or parse_datetime(text)
    except ValueError:
        found = None
    if found is None:
        raise ArgumentTypeError(
            f"{text!r} is no day such as 2026-03-10 and no time such as 2026-03-10T12:00:00Z"
        )
    if isinstance(found, datetime) and found.tzinfo is None:
        return found.replace(tzinfo=UTC)
    return found


def moment_for_tenant(value: date | datetime | None) -> datetime | None:
    """The moment itself; of a day its beginning in the acting tenant's time zone."""
    return None if value is None else start_of(value)
