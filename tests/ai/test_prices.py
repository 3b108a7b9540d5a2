"""Prices by model and date. The figures are those of the pinned genai-prices."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from ai.prices import lookup

AT = datetime(2026, 1, 1, tzinfo=UTC)


def test_a_model_with_cached_input() -> None:
    price = lookup("openai", "gpt-4o-mini", AT)
    assert price is not None
    assert (price.input, price.output, price.cached) == (Decimal("0.15"), Decimal("0.6"), Decimal("0.075"))
    assert price.cache_write is None
    assert price.source.startswith("genai-prices ")
    assert price.valid_to_input_tokens is None


def test_a_model_that_sells_cache_writes() -> None:
    price = lookup("anthropic", "claude-3-5-haiku-20241022", AT)
    assert price is not None
    assert (price.input, price.cache_write, price.cached) == (Decimal("0.8"), Decimal("1"), Decimal("0.08"))


def test_an_embedder_has_no_output() -> None:
    price = lookup("openai", "text-embedding-3-small", AT)
    assert price is not None
    assert (price.input, price.output) == (Decimal("0.02"), None)


def test_long_prompts_cost_more_in_whole() -> None:
    short = lookup("anthropic", "claude-sonnet-4-5", AT)
    edge = lookup("anthropic", "claude-sonnet-4-5", AT, input_tokens=200_000)
    long = lookup("anthropic", "claude-sonnet-4-5", AT, input_tokens=200_001)
    assert short is not None
    assert long is not None
    assert (short.input, short.valid_to_input_tokens) == (Decimal(3), 200_000)
    assert edge == short
    assert (long.input, long.output, long.valid_to_input_tokens) == (Decimal(6), Decimal("22.5"), None)


def test_prices_have_dates() -> None:
    before = lookup("openai", "o3", datetime(2025, 6, 9, 23, 59, tzinfo=UTC))
    after = lookup("openai", "o3", datetime(2025, 6, 10, tzinfo=UTC))
    assert before is not None
    assert after is not None
    assert (before.input, before.effective_from) == (Decimal(10), None)
    assert (after.input, after.effective_from) == (Decimal(2), datetime(2025, 6, 10, tzinfo=UTC))


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "nonesuch"), ("nobody", "gpt-4o"), ("openai", "stub?n=3"), ("openai", "")],
)
def test_an_unknown_price_is_none_and_never_zero(provider: str, model: str) -> None:
    assert lookup(provider, model, AT) is None


@pytest.mark.parametrize("provider", ["offline", "local"])
def test_what_runs_here_is_free_and_says_so(provider: str) -> None:
    price = lookup(provider, "anything", AT)
    assert price is not None
    assert {price.input, price.output, price.cached, price.cache_write} == {Decimal(0)}


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="timezone"):
        lookup("openai", "gpt-4o", datetime(2026, 1, 1))
