"""The pages of what models cost."""

from decimal import Decimal

from django.contrib import admin
from unfold.decorators import display

from billing.costs.models import ModelPrice
from tenants.administration import RecordAdmin, dollars


@admin.register(ModelPrice)
class ModelPriceAdmin(RecordAdmin):
    """What models cost: public prices, and those negotiated by the tenant."""

    list_display = (
        "model", "provider", "service", "unit", "input_price", "output_price", "since", "whose",
    )  # fmt: skip
    list_filter = ("provider", "service", "unit")
    search_fields = ("model", "provider")
    search_help_text = "Model or provider"
    fields = (
        "provider", "model", "service", "unit", "input_price", "output_price", "cached_price", "cache_write_price",
        "since", "source", "whose",
    )  # fmt: skip
    readonly_fields = ("input_price", "output_price", "cached_price", "cache_write_price", "since", "whose")
    empty_state = (
        "Calls are priced by the public list that comes with the product. A price stands here where it was stored "
        "in the database, or negotiated for you."
    )
    empty_action = ("See what was spent", "admin:costs")

    @display(description="input", ordering="input")
    def input_price(self, price: ModelPrice) -> str:
        return _price(price.input)

    @display(description="output", ordering="output")
    def output_price(self, price: ModelPrice) -> str:
        return _price(price.output)

    @display(description="cached input")
    def cached_price(self, price: ModelPrice) -> str:
        return _price(price.cached)

    @display(description="cache write")
    def cache_write_price(self, price: ModelPrice) -> str:
        return _price(price.cache_write)

    @display(description="since", ordering="effective_from")
    def since(self, price: ModelPrice) -> str:
        return f"{price.effective_from.day} {price.effective_from:%b %Y}"

    @display(description="whose", label={"public": "info", "yours": "success"})
    def whose(self, price: ModelPrice) -> str:
        return "yours" if price.tenant_id else "public"


def _price(amount: Decimal | None) -> str:
    return "not sold apart" if amount is None else dollars(amount)
