"""Prices: the tenant's own first, cached tokens at their rate, unknown never zero."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import DatabaseError, transaction
from hypothesis import given
from hypothesis import strategies as st

from ai import prices
from ai.usage import Usage
from billing.costs import pricing
from billing.costs.pricing import Rates
from billing.models import ModelPrice
from kernel import clock
from tenants.context import acting_as
from tenants.owner import owner_connection
from tests.billing.spending import price

NOW = datetime(2026, 6, 1, tzinfo=UTC)
ONE = Usage(input_tokens=1_000_000)

rates = st.decimals(min_value=0, max_value=1000, places=6)
tokens = st.integers(min_value=0, max_value=10_000_000)


@pytest.fixture(autouse=True)
def _fresh_prices():
    pricing.forget()
    yield
    pricing.forget()


@given(rates, rates, rates, rates, tokens, tokens, tokens, tokens)
def test_a_cost_is_the_sum_of_its_kinds_of_tokens(
    given_rate, out, cached, written, plain, hit, wrote, answer
):
    usage = Usage(
        input_tokens=plain + hit + wrote, output_tokens=answer, cached_tokens=hit, cache_write_tokens=wrote
    )
    exact = (plain * given_rate + hit * cached + wrote * written + answer * out) / 1_000_000
    cost = pricing.token_cost(Rates(given_rate, out, cached, written), usage)
    assert abs(cost - exact) <= Decimal("0.00000000005")


@given(rates, rates, tokens, tokens, tokens)
def test_tokens_without_a_rate_of_their_own_cost_what_input_does(given_rate, out, plain, hit, answer):
    usage = Usage(input_tokens=plain + hit, output_tokens=answer, cached_tokens=hit)
    without = Usage(input_tokens=plain + hit, output_tokens=answer)
    assert pricing.token_cost(Rates(given_rate, out), usage) == pricing.token_cost(
        Rates(given_rate, out), without
    )


@given(rates, tokens, tokens, tokens)
def test_a_cheaper_cache_never_makes_a_call_dearer(rate, plain, hit, answer):
    usage = Usage(input_tokens=plain + hit, output_tokens=answer, cached_tokens=hit)
    assert pricing.token_cost(Rates(rate, rate, rate / 10), usage) <= pricing.token_cost(
        Rates(rate, rate), usage
    )


@given(tokens, tokens)
def test_a_count_that_contradicts_itself_is_never_paid_back(cached, written):
    usage = Usage(input_tokens=5, cached_tokens=cached, cache_write_tokens=written)
    assert pricing.token_cost(Rates(Decimal(1), Decimal(1)), usage) >= 0


def test_a_kind_of_token_without_a_price_leaves_the_cost_unknown():
    assert pricing.token_cost(Rates(Decimal(1), None), Usage(input_tokens=1, output_tokens=1)) is None
    assert pricing.token_cost(Rates(Decimal(1), None), Usage(input_tokens=1)) == Decimal("0.000001")


def test_the_negotiated_price_is_its_tenants_only(acme, bolt):
    with acting_as(acme):
        ours = price(acme, input=Decimal(3), output=Decimal(4))
        assert pricing.price("llm", "openai", "gpt-test", ONE, None, NOW) == (Decimal(3), ours.id)
    with acting_as(bolt):
        assert pricing.price("llm", "openai", "gpt-test", ONE, None, NOW) == (None, None)
        assert not ModelPrice.objects.exists()


def test_a_price_holds_until_the_next_begins(acme):
    with acting_as(acme):
        price(acme, input=Decimal(1), effective_from=NOW - timedelta(days=10))
        price(acme, input=Decimal(2), effective_from=NOW)
        for at, cost in ((NOW - timedelta(days=11), None), (NOW - timedelta(seconds=1), 1), (NOW, 2)):
            assert pricing.price("llm", "openai", "gpt-test", ONE, None, at).cost_usd == cost


def test_public_rows_are_read_by_all_and_written_by_the_owner_alone(acme, bolt, transactional_db):
    for tenant in (None, acme):
        with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic(), acting_as(bolt):
            price(tenant, input=Decimal(0))
    with pytest.raises(DatabaseError, match="row-level security"), transaction.atomic():
        price(None, input=Decimal(0))
    with owner_connection():
        public = price(None, input=Decimal(7))
    for tenant in (acme, bolt):
        with acting_as(tenant):
            assert pricing.price("llm", "openai", "gpt-test", ONE, None, NOW) == (Decimal(7), public.id)
            assert ModelPrice.objects.update(input=0) == 0
            assert ModelPrice.objects.all().delete()[0] == 0
    with acting_as(acme):
        price(acme, input=Decimal(5))
        pricing.forget()
        assert pricing.price("llm", "openai", "gpt-test", ONE, None, NOW).cost_usd == 5


def test_without_rows_the_dated_public_prices_hold(acme):
    listed = prices.lookup("openai", "gpt-4o-mini", NOW)
    with acting_as(acme):
        assert pricing.price("llm", "openai", "gpt-4o-mini", ONE, None, NOW) == (listed.input, None)


def test_units_are_priced_by_what_the_service_is_sold_by(acme):
    with acting_as(acme):
        price(acme, service="voice_stt", model="ears", unit="seconds", input=Decimal("0.0001"))
        heard = pricing.price("voice_stt", "openai", "ears", None, Decimal("90.5"), NOW)
        assert heard.cost_usd == Decimal("0.00905")
        assert pricing.price("voice_tts", "openai", "ears", None, Decimal(1), NOW).cost_usd is None
        assert pricing.price("llm", "openai", "ears", None, None, NOW).cost_usd is None


def test_prices_are_read_once_a_minute(acme, django_assert_num_queries):
    with acting_as(acme):
        price(acme, input=Decimal(1))
        pricing.price("llm", "openai", "gpt-test", ONE, None, NOW)
        with django_assert_num_queries(0):
            pricing.price("llm", "openai", "gpt-test", ONE, None, clock.now())


@pytest.mark.parametrize(("provider", "amount"), [("offline", Decimal(0)), ("nobody", None)])
def test_an_estimate_knows_free_from_unknown(acme, provider, amount):
    with acting_as(acme):
        assert pricing.answer_estimate(provider, "m", input_tokens=300, max_tokens=100) == (amount, 500)


def test_an_estimate_is_never_below_what_the_answer_costs(acme):
    with acting_as(acme):
        price(acme, input=Decimal(3), output=Decimal(15), cache_write=Decimal("3.75"), cached=Decimal("0.3"))
        estimate = pricing.answer_estimate("openai", "gpt-test", input_tokens=1200, max_tokens=800)
        for usage in (
            Usage(input_tokens=1500, output_tokens=800),
            Usage(input_tokens=1500, output_tokens=800, cache_write_tokens=1500),
            Usage(input_tokens=1200, output_tokens=1, cached_tokens=1200),
        ):
            assert pricing.price("llm", "openai", "gpt-test", usage, None, NOW).cost_usd <= estimate.amount
