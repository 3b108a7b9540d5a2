"""The public price list in the database: what the dated prices of `ai.prices` said, kept as rows."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Final, NamedTuple

from ai import prices
from billing.costs import pricing
from billing.costs.models import ModelPrice, PriceUnit, Service
from kernel import clock

# Providers that we only know embedders of.
EMBEDDERS: Final = frozenset({"voyage"})
BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)


class PricedModel(NamedTuple):
    """A model as the ledger names it."""

    service: str
    provider: str
    model: str


class Listed(NamedTuple):
    """How many models got a new price row, and which have no public price that a row can hold."""

    added: int
    unknown: list[PricedModel]


def update(models: Iterable[PricedModel]) -> Listed:
    """Add a public row for each of `models` whose price is new or has changed. For the tables' owner only.

    A model that charges long prompts apart gets none: a row has one price, and `ai.prices` knows the tiers.
    """
    added, unknown = 0, []
    for model in models:
        found = prices.lookup(model.provider, model.model, clock.now())
        if found is None or found.valid_to_input_tokens is not None:
            unknown.append(model)
            continue
        rates = {
            "input": found.input,
            "output": found.output,
            "cached": found.cached,
            "cache_write": found.cache_write,
        }
        key = {**model._asdict(), "unit": PriceUnit.TOKENS, "tenant": None}
        latest = ModelPrice.objects.filter(**key).order_by("-effective_from").values(*rates).first()
        if latest == rates:
            continue
        # Where it is not recorded when a price began, the first we see held from the beginning, a later one from now.
        begins = found.effective_from or (clock.now() if latest else BEGINNING)
        ModelPrice.objects.update_or_create(
            **key, effective_from=begins, defaults={**rates, "source": found.source}
        )
        added += 1
    pricing.forget()
    return Listed(added, unknown)


def named(text: str) -> PricedModel:
    """`provider:model` as a language model, or as an embedder where its name or its provider says so."""
    provider, _, model = text.partition(":")
    embeds = "embed" in model or provider in EMBEDDERS
    return PricedModel(Service.EMBEDDING if embeds else Service.LLM, provider, model)
