"""A tenant for benchmarks, made beside a running copy by the product's own functions; prints it as one JSON object.

    installation.run_module("benchmarks.furnishing", slug, '{"models": ["stub?n=40"], "budget_usd": "1000000"}')

`models` are names at provider openai that get a price, as chat and as embedding models; `budget_usd` is a monthly
budget with a hard cap, so that every answer has to reserve and settle.
"""

import json
import sys
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from billing.costs.models import Budget, BudgetPeriod, ModelPrice, Service
from kernel import clock
from tenants.authentication import SCOPES, issue_api_key
from tenants.context import acting_as
from tenants.creating import create_tenant
from tenants.models import Plan, Tenant
from widgets.editing import create_widget
from widgets.personalities import create_personality

INSTRUCTIONS: Final = "You are the assistant of a shop for smart home devices. You are brief and friendly."
PRICE_PER_MILLION: Final = Decimal("0.15")


def furnish(slug: str, *, models: list[str] | None = None, budget_usd: str | None = None) -> dict[str, Any]:
    """The tenant as `benchmarks.installation.Tenant` has it."""
    # Django asks a new connection for its version, which it may not while a tenant is chosen.
    connection.ensure_connection()
    origin = f"https://{slug}.example"
    tenant = create_tenant(slug.capitalize(), slug, plan=Plan.BUSINESS)
    with acting_as(tenant):
        personality = create_personality("Assistant", system_prompt=INSTRUCTIONS, is_default=True)
        widget = create_widget("Main", domain_whitelist=[origin], personality_id=personality.pk)
        _, api_key = issue_api_key("benchmarks", SCOPES)
        for model in models or ():
            for service in (Service.LLM, Service.EMBEDDING):
                _price(tenant, model, service)
        if budget_usd is not None:
            Budget.objects.create(period=BudgetPeriod.MONTHLY, limit_usd=Decimal(budget_usd), hard_cap=True)
    return {
        "id": str(tenant.pk),
        "slug": slug,
        "api_key": api_key,
        "widget_key": widget.public_key,
        "origin": origin,
    }


def _price(tenant: Tenant, model: str, service: Service) -> None:
    ModelPrice.objects.create(
        tenant=tenant,
        provider="openai",
        model=model,
        service=service,
        input=PRICE_PER_MILLION,
        output=PRICE_PER_MILLION * 4,
        effective_from=clock.now(),
    )


if __name__ == "__main__":
    sys.stdout.write(json.dumps(furnish(sys.argv[1], **json.loads(sys.argv[2]))))
