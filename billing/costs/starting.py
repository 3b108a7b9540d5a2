"""The budget that a new tenant starts with.

The amounts are a choice of ours, not a measurement: a month of each plan's usual use with room to spare. Whoever has a
figure of their own puts it into the tenant's settings (`maxMonthlySpend`), and an owner changes the budget at any time.
"""

from decimal import Decimal
from typing import Final

from billing.costs.budgeting import create_budget
from tenants.models import Plan, TenantStatus
from tenants.provisioning import Start

MONTHLY_USD: Final = {
    Plan.STARTER: Decimal(20),
    Plan.GROWTH: Decimal(100),
    Plan.BUSINESS: Decimal(500),
    Plan.ENTERPRISE: Decimal(2_000),
}
SETTING: Final = "maxMonthlySpend"
# What a model without a price is counted at under a hard cap, in dollars per million tokens: without one the cap would
# refuse every answer of such a model.
FALLBACK_USD: Final = Decimal(10)


def first_budget(start: Start) -> None:
    """A monthly budget that warns at 80 and 100 %.

    It is a hard cap for a company that signed itself up (trialing): nobody has vouched for it, and it spends through
    the operator's keys. One that the operator made is warned and goes on answering: its visitors must not be met with
    silence because of a guess of ours.
    """
    tenant = start.tenant
    given = tenant.settings.get(SETTING)
    is_capped = tenant.status == TenantStatus.TRIALING
    create_budget(
        limit_usd=Decimal(str(given)) if given else MONTHLY_USD[Plan(tenant.plan)],
        hard_cap=is_capped,
        fallback_price_usd=FALLBACK_USD if is_capped else None,
    )
