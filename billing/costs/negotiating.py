"""Prices that a tenant has negotiated with a provider: they come before the public ones."""

import uuid
from datetime import datetime
from decimal import Decimal

from django.db import IntegrityError, transaction

from billing.costs import pricing
from billing.costs.models import ModelPrice, PriceUnit
from kernel import clock
from kernel.errors import Conflict, FieldError, InvalidInput, NotFound
from tenants.context import require_tenant

RATES = ("input", "output", "cached", "cache_write")


def add_price(
    *,
    provider: str,
    model: str,
    service: str,
    unit: str = PriceUnit.TOKENS,
    effective_from: datetime | None = None,
    source: str = "",
    **rates: Decimal | None,
) -> ModelPrice:
    """A price of the acting tenant's own, from `effective_from` (default: now) until the next one of the same model.

    `rates` (input, output, cached, cache_write) are dollars per million tokens; for other units only `input`, dollars
    per unit. What is recorded already keeps its cost. Raises InvalidInput, Conflict for the same model and moment.
    """
    errors = [
        FieldError(name, f"is not sold by {unit}: give input alone")
        for name in RATES[1:]
        if unit != PriceUnit.TOKENS and rates.get(name) is not None
    ]
    if rates.get("input") is None:
        errors.append(FieldError("input", "a price has at least this"))
    if errors:
        raise InvalidInput("; ".join(f"{e.field}: {e.message}" for e in errors), errors=errors)
    try:
        with transaction.atomic():
            price = ModelPrice.objects.create(
                tenant_id=require_tenant().id,
                provider=provider,
                model=model,
                service=service,
                unit=unit,
                effective_from=effective_from or clock.now(),
                source=source,
                **rates,
            )
    except IntegrityError as error:
        raise Conflict(
            f"{provider}:{model} has a price from that moment on already.", code="price_exists"
        ) from error
    pricing.forget()
    return price


def withdraw_price(price_id: uuid.UUID) -> None:
    """Take back a price of one's own that has not begun. Raises NotFound, and Conflict (`price_in_effect`) for one that
    has: costs were reckoned by it, so it is followed by the next one; a public price is nobody's to take back."""
    price = (
        ModelPrice.objects.select_for_update(of=("self",))
        .filter(pk=price_id, tenant=require_tenant().id)
        .first()
    )
    if price is None:
        if ModelPrice.objects.filter(pk=price_id).exists():
            raise Conflict(
                "This price is public: add one of your own, which comes before it.", code="price_is_public"
            )
        raise NotFound(f"There is no price {price_id}.")
    if price.effective_from <= clock.now():
        raise Conflict("This price is in effect: add the one that follows it.", code="price_in_effect")
    price.delete()
    pricing.forget()
