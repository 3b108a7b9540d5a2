"""When an attempt that failed is made again: thirteen attempts over three days at most.

    after attempt   1     2      3      4       5       6    7    8    9    10    11    12
    wait at most    5 s   30 s   2 min  10 min  30 min  1 h  2 h  4 h  8 h  12 h  18 h  24 h

Each wait is up to a fifth shorter, by chance, so that what failed together does not come back together; even so none is
shorter than the one before. `Retry-After` may lengthen a wait up to six hours and never shortens one.
"""

import random
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

WAITS: Final = (
    timedelta(seconds=5), timedelta(seconds=30), timedelta(minutes=2), timedelta(minutes=10), timedelta(minutes=30),
    timedelta(hours=1), timedelta(hours=2), timedelta(hours=4), timedelta(hours=8), timedelta(hours=12),
    timedelta(hours=18), timedelta(hours=24),
)  # fmt: skip
SPAN: Final = timedelta(days=3)
JITTER: Final = 0.2
LONGEST_ASKED: Final = timedelta(hours=6)


def next_attempt(
    *,
    tries: int,
    due_from: datetime,
    now: datetime,
    retry_after: timedelta | None = None,
    chance: float | None = None,
) -> datetime | None:
    """When to try again after `tries` attempts, the first due at `due_from`; None: never, its time is over.

    `chance`, from 0 to 1, is for tests to choose.
    """
    ends = due_from + SPAN
    if tries > len(WAITS) or now >= ends:
        return None
    # No secret depends on it: it only spreads what failed together.
    drawn = random.random() if chance is None else chance  # noqa: S311 - see above
    wait = WAITS[tries - 1] * (1 - JITTER * drawn)
    if retry_after is not None:
        wait = max(wait, min(retry_after, LONGEST_ASKED))
    return min(now + wait, ends)


def asked_wait(header: str | None, now: datetime) -> timedelta | None:
    """What a Retry-After header asks for, as seconds or as a date; None where it is missing or cannot be read."""
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return timedelta(seconds=min(int(text[:9]), 10**8))
    try:
        moment = parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if moment.tzinfo is None:
        return None
    return max(moment - now, timedelta(0))
