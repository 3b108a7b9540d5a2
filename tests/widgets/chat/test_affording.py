"""Which model answers: what is preferred, what there is money for, who takes over, and what is booked."""

from decimal import Decimal
from uuid import uuid4

import pytest
from asgiref.sync import async_to_sync

from ai.chat import choosing
from ai.chat.scripted import Script, scripting
from ai.failures import Attempt, PaidFailure
from ai.usage import Usage
from billing.costs import ledger, pricing
from billing.costs.models import Degrade
from billing.models import Budget, CostEvent
from kernel.errors import ProviderError
from tenants.context import TenantRef, acting_as
from tests import conversations
from tests.billing.spending import budget, price
from widgets.chat.composing import Composition, compose
from widgets.models import Personality

WORDS = ("The warranty is ", "two years ", "[1].")
AWAY = ProviderError("p is away.", provider="p", retryable=True, code="unavailable")


@pytest.fixture(autouse=True)
def _knowledge(acme, bolt, redis):
    pricing.forget()
    choosing.circuit.cache_clear()
    conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
    for tenant, cost in ((acme, 1), (bolt, 900)):
        with acting_as(tenant):
            price(
                tenant, provider="dear", model="dear", input=Decimal(cost * 1000), output=Decimal(cost * 1000)
            )
            price(tenant, provider="cheap", model="cheap", input=Decimal(cost), output=Decimal(cost))
    yield
    pricing.forget()


@pytest.fixture
def models(settings):
    """Two models, the dear one first; each counts a million tokens."""
    settings.LLM_MODEL = "scripted:dear,scripted:cheap"
    usage = Usage(input_tokens=1_000_000)
    with (
        scripting("dear", Script(WORDS, provider="dear", model="dear", usage=usage)) as dear,
        scripting("cheap", Script(WORDS, provider="cheap", model="cheap", usage=usage)) as cheap,
    ):
        yield dear, cheap


def answered(tenant):
    ref, question = TenantRef(tenant.pk, tenant.schema_name), "How long is the warranty of the hub?"
    return async_to_sync(compose)(Composition(ref, question, (), lambda text: None, uuid4()))


def booked(draft):
    return [(event.provider, event.model) for event in draft.costs if event.service == "llm"]


@pytest.mark.django_db
class TestWhoAnswers:
    def test_the_first_where_it_can(self, acme, models):
        draft = answered(acme)
        assert (draft.metadata["model"], booked(draft)) == ("dear", [("dear", "dear")])
        assert models[1].requests == []

    def test_the_next_where_it_cannot_and_it_is_named_and_paid(self, acme, models):
        models[0].error, models[0].error_at = AWAY, 0
        draft = answered(acme)
        assert draft.text == "".join(WORDS)
        assert (draft.metadata["model"], booked(draft)) == ("cheap", [("cheap", "cheap")])

    def test_who_broke_off_is_named_and_paid(self, acme, models):
        models[0].error, models[0].error_at = AWAY, 0
        models[1].error, models[1].error_at = AWAY, 1
        draft = answered(acme)
        assert (draft.text, draft.metadata["event"]) == (WORDS[0], "model_unavailable")
        assert (draft.metadata["model"], booked(draft)) == ("cheap", [("cheap", "cheap")])

    def test_a_failed_call_that_was_counted_is_paid_too(self, acme, models):
        attempt = Attempt("dear", "dear", Usage(10, 20))
        models[0].error, models[0].error_at = PaidFailure(AWAY, [attempt]), 0
        draft = answered(acme)
        assert booked(draft) == [("cheap", "cheap"), ("dear", "dear")]
        assert len({event.idempotency_key for event in draft.costs}) == len(draft.costs)
        models[1].error, models[1].error_at = AWAY, 0
        assert booked(answered(acme)) == [("dear", "dear")]

    @pytest.mark.parametrize(
        ("preferred", "answers"), [("scripted:cheap", "cheap"), ("scripted:nobody", "dear")]
    )
    def test_a_personalitys_preferred_model_comes_first(self, acme, models, preferred, answers):
        with acting_as(acme):
            Personality.objects.create(name="Front desk", is_default=True, preferred_model=preferred)
        draft = answered(acme)
        assert draft.metadata["model"] == answers


@pytest.mark.django_db
class TestWhatThereIsMoneyFor:
    @pytest.mark.parametrize(
        ("limit", "degrade", "answers"),
        [
            ("100000", "", "dear"),
            ("1", "", None),
            ("1", Degrade.HANDOFF, None),
            ("1", Degrade.CHEAPER_MODEL, "cheap"),
            ("0", Degrade.CHEAPER_MODEL, None),
        ],
    )
    def test_a_budget_may_ask_for_a_cheaper_model(self, acme, bolt, models, limit, degrade, answers):
        budget(acme, limit, degrade=degrade)
        budget(bolt, "0")
        draft = answered(acme)
        if answers is None:
            assert draft.metadata["event"] == "budget_reached"
            assert [script.requests for script in models] == [[], []]
            return
        assert draft.metadata["model"] == answers
        with acting_as(acme):
            held = Budget.objects.get().reserved
            assert 0 < held <= Decimal(limit)
            ledger.record(draft.costs)
            costs = dict(CostEvent.objects.filter(service="llm").values_list("model", "cost_usd"))
        assert costs == {answers: {"dear": 1000, "cheap": 1}[answers]}

    def test_the_hold_is_for_the_dearest_that_may_answer(self, acme, models, settings):
        settings.LLM_MODEL = "scripted:cheap,scripted:dear"
        budget(acme, "1")
        assert answered(acme).metadata["event"] == "budget_reached"
        settings.LLM_MODEL = "scripted:cheap"
        assert answered(acme).metadata["model"] == "cheap"

    def test_an_unknown_price_is_the_dearest(self, acme, models, settings):
        budget(acme, "1", degrade=Degrade.CHEAPER_MODEL)
        with scripting("new", Script(WORDS, provider="new", model="new")) as new:
            settings.LLM_MODEL = "scripted:new,scripted:cheap"
            assert answered(acme).metadata["model"] == "cheap"
        assert new.requests == []
