"""How long calls took, read from the digests of the summaries: percentiles add up over buckets as averages do not."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import accumulate, groupby
from typing import Any, Final

from billing.costs.models import SummaryPeriod
from billing.costs.summaries import named, read_parts

# As billing/sql/latency_step.sql has it: of step n are those from 1.1^n up to 1.1^(n+1) ms.
GROWTH: Final = 1.1
PERCENTILES: Final = {"p50_ms": 0.50, "p95_ms": 0.95}


def latencies(
    *,
    start: date | datetime | None = None,
    end: date | datetime | None = None,
    group_by: str = SummaryPeriod.DAY,
    by: Sequence[str] = ("service",),
) -> list[dict[str, Any]]:
    """How long the acting tenant's calls took, per period and dimensions as `summaries.summaries` has them: rows,
    oldest first, of period_start, the named dimensions, event_count (calls that told how long they took), p50_ms and
    p95_ms.

    A percentile is right within 5 percent, which is what the digest's steps allow, and is in whole milliseconds.
    """
    _, *found = read_parts("count_latencies", start, end, group_by, by)
    rows = []
    for _, same in groupby(found, key=lambda row: row[1:6]):
        steps = list(same)
        counts = [(step, number) for *_, step, number in steps]
        total = sum(number for _, number in counts)
        quantiles = {name: percentile(counts, share) for name, share in PERCENTILES.items()}
        rows.append({**named(steps[0], by), "event_count": total, **quantiles})
    return rows


def percentile(counts: Sequence[tuple[int, int]], share: float) -> int:
    """Milliseconds within which `share` of the calls ended, of (step, number) pairs in ascending order, at least one:
    the middle of the step in which the call of that rank (nearest-rank method) lies."""
    rank = share * sum(number for _, number in counts)
    up_to = accumulate(number for _, number in counts)
    step = next(step for (step, _), seen in zip(counts, up_to, strict=True) if seen >= rank)
    middle: float = GROWTH ** (step + 0.5)
    return round(middle)
