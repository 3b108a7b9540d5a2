"""What a tenant uses beside what its plan allows.

Plans are about things of rooms above this one, so each room adds its own count when it is ready (`counts`).
"""

from collections.abc import Callable
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple
from zoneinfo import ZoneInfo

from billing.costs.summaries import summaries
from billing.costs.timezones import tenant_timezone
from kernel import clock
from tenants.context import require_tenant
from tenants.models import Tenant, User

Count = Callable[[datetime], int]

_counts: Final[dict[str, Count]] = {}


class Usage(NamedTuple):
    """The acting tenant's use of this calendar month, in its time zone. `counts` by name, as rooms have added them."""

    plan: str
    period_start: datetime
    period_end: datetime
    counts: dict[str, int]
    ai_spend_usd: Decimal


def counts(name: str, count: Count) -> None:
    """Add a count: `count(month_start)` is asked inside `acting_as` for what there is, or has been since then."""
    _counts[name] = count


def usage() -> Usage:
    """What the acting tenant uses now."""
    start, end = _month()
    tenant = Tenant.objects.get(pk=require_tenant().id)
    return Usage(
        tenant.plan,
        start,
        end,
        {
            "seats": User.objects.filter(is_active=True).count(),
            **{n: count(start) for n, count in _counts.items()},
        },
        summaries(start=start, end=end).totals["total_cost_usd"],
    )


def as_usage_object(used: Usage) -> dict[str, Any]:
    """As the API shows it: each thing with its limit; null: none."""
    return {
        "plan": used.plan,
        "period_start": used.period_start,
        "period_end": used.period_end,
        **{name: {"used": count, "limit": None} for name, count in used.counts.items()},
        "ai_spend_usd": {"used": used.ai_spend_usd, "limit": None},
    }


def _month() -> tuple[datetime, datetime]:
    today = clock.now().astimezone(ZoneInfo(tenant_timezone()))
    start = today.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    following = (start + timedelta(days=32)).replace(day=1)
    return start, following
