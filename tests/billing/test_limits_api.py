"""budgets/, prices/ and usage/."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from billing.costs import budgets
from billing.costs.models import Budget, BudgetHold, ModelPrice
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.creating import create_user
from tests import conversations
from tests.billing.spending import fold_all, spend
from tests.tenants.callers import caller, code_of, every, wrong_fields

PRICE = {"provider": "openai", "model": "gpt-own", "service": "llm", "input": "1.5", "output": "6"}


@pytest.fixture
def as_acme(client, acme):
    return caller(client, acme)


class TestBudgets:
    @pytest.fixture
    def theirs(self, bolt):
        with acting_as(bolt):
            return Budget.objects.create(limit_usd=7)

    def test_from_birth_to_death(self, as_acme, acme, theirs):
        spend(acme, "0.4")
        made = as_acme(
            "POST", "budgets/", {"limit_usd": "10", "hard_cap": True, "recipients": ["A@acme.example"]}
        )
        assert made.status_code == 201, made.content
        budget = made.json()
        assert (budget["period"], budget["limit_usd"], budget["spent"]) == ("monthly", "10", "0.4")
        assert (budget["warn_at"], budget["recipients"]) == ([0.8, 1.0], ["a@acme.example"])
        path = f"budgets/{budget['id']}/"
        assert as_acme("GET", path).json() == budget
        changed = as_acme(
            "PATCH", path, {"warn_at": [1, 0.5, 0.5], "period": "daily", "fallback_price_usd": "3"}
        )
        assert (changed.json()["warn_at"], changed.json()["period"]) == ([0.5, 1.0], "daily")
        with acting_as(acme):
            budgets.reserve(amount=Decimal(1), purpose_id=uuid7())
        assert as_acme("GET", path).json()["reserved"] == "1"
        assert as_acme("PATCH", path, as_acme("GET", path).json()).json()["reserved"] == "1"
        assert [row["id"] for row in every(as_acme, "budgets/?period=daily&hard_cap=true")] == [budget["id"]]
        assert every(as_acme, "budgets/?period=weekly") == []
        assert as_acme("DELETE", path).status_code == 204
        assert as_acme("GET", path).status_code == 404
        with acting_as(acme):
            assert BudgetHold.objects.count() == 0

    def test_another_tenants_are_not_there(self, as_acme, bolt, theirs):
        assert every(as_acme, "budgets/") == []
        for verb in ("GET", "PATCH", "DELETE"):
            assert code_of(as_acme(verb, f"budgets/{theirs.pk}/", {"limit_usd": "1"}), 404) == "not_found"
        with acting_as(bolt):
            assert Budget.objects.get().limit_usd == 7

    @pytest.mark.parametrize(
        ("change", "field"),
        [({"limit_usd": 5}, "limit_usd"), ({"limit_usd": "-1"}, "limit_usd"), ({"limit_usd": None}, "limit_usd"),
         ({"limit_usd": "1e9"}, "limit_usd"), ({"period": "yearly"}, "period"), ({"warn_at": [0]}, "warn_at.0"),
         ({"warn_at": ["0.8"]}, "warn_at.0"), ({"warn_at": [3]}, "warn_at.0"), ({"recipients": ["x"]}, "recipients.0"),
         ({"fallback_price_usd": "0"}, "fallback_price_usd"), ({"degrade": "panic"}, "degrade"),
         ({"hard_cap": "yes"}, "hard_cap"), ({"colour": "red"}, "colour")],
    )  # fmt: skip
    def test_a_wrong_field_is_named(self, as_acme, change, field):
        assert wrong_fields(as_acme("POST", "budgets/", {"limit_usd": "5", **change})) == {field}

    def test_there_are_twenty_at_most(self, as_acme):
        for _ in range(20):
            assert as_acme("POST", "budgets/", {"limit_usd": "5"}).status_code == 201
        assert code_of(as_acme("POST", "budgets/", {"limit_usd": "5"}), 400) == "invalid"


class TestPrices:
    def test_an_own_price_comes_first_and_is_not_taken_back_once_it_holds(self, as_acme, acme):
        made = as_acme("POST", "prices/", PRICE)
        assert made.status_code == 201, made.content
        price = made.json()
        assert (price["is_own"], price["unit"], price["input"], price["cached"]) == (
            True,
            "tokens",
            "1.5",
            None,
        )
        assert as_acme("GET", f"prices/{price['id']}/").json() == price
        event = {"service": "llm", "provider": "openai", "model": "gpt-own", "input_tokens": 1_000_000}
        assert as_acme("POST", "cost-events/", event).json()["cost_usd"] == "1.5"
        assert code_of(as_acme("DELETE", f"prices/{price['id']}/"), 409) == "price_in_effect"
        later = (timezone.now() + timedelta(days=9)).isoformat()
        coming = as_acme("POST", "prices/", {**PRICE, "effective_from": later, "input": "1"}).json()
        assert code_of(as_acme("POST", "prices/", {**PRICE, "effective_from": later}), 409) == "price_exists"
        assert as_acme("DELETE", f"prices/{coming['id']}/").status_code == 204
        assert [row["id"] for row in every(as_acme, "prices/?model=gpt-own")] == [price["id"]]

    def test_anothers_price_is_not_there_and_public_ones_are_nobodys(self, client, as_acme, bolt):
        theirs = caller(client, bolt)("POST", "prices/", PRICE).json()["id"]
        assert every(as_acme, "prices/?is_public=false") == []
        for verb in ("GET", "DELETE"):
            assert code_of(as_acme(verb, f"prices/{theirs}/"), 404) == "not_found"
        with acting_as(bolt):
            assert ModelPrice.objects.filter(pk=theirs).exists()

    @pytest.mark.parametrize(
        ("change", "fields"),
        [({"input": None}, {"input"}), ({"input": 1}, {"input"}), ({"input": "-1"}, {"input"}),
         ({"service": "x"}, {"service"}), ({"unit": "seconds"}, {"output"}), ({"model": ""}, {"model"}),
         ({"effective_from": "soon"}, {"effective_from"}), ({"is_mine": True}, {"is_mine"})],
    )  # fmt: skip
    def test_a_wrong_field_is_named(self, as_acme, change, fields):
        assert wrong_fields(as_acme("POST", "prices/", {**PRICE, **change})) == fields


@pytest.mark.django_db(transaction=True)
def test_usage_counts_ones_own_and_no_more(as_acme, acme, bolt, redis):
    for tenant, times in ((acme, 1), (bolt, 3)):
        with acting_as(tenant):
            create_user(f"a@{tenant.slug}.example", "a long password 1")
        for _ in range(times):
            conversations.session(tenant)
            spend(tenant, "0.25")
    fold_all(acme)
    fold_all(bolt)
    used = as_acme("GET", "usage/").json()
    assert used["plan"] == "starter"
    assert used["period_start"] < timezone.now().isoformat() < used["period_end"]
    assert {name: item["used"] for name, item in used.items() if isinstance(item, dict)} == {
        "widgets": 1, "seats": 1, "documents": 0, "conversations": 1, "ai_spend_usd": "0.25",
    }  # fmt: skip
