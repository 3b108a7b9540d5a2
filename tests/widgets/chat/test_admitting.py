"""Nobody spends a tenant's budget: messages are counted across processes, and what answers cost is capped."""

import asyncio
import json
import uuid
from decimal import Decimal

import pytest
from asgiref.sync import async_to_sync, sync_to_async
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from ai.chat.scripted import Script, scripting
from ai.usage import Usage
from billing.costs import pricing
from billing.models import CostEvent
from kernel import limiting
from kernel.errors import InvalidInput
from kernel.ids import uuid7
from kernel.limiting import Limit, counted_as
from tenants.context import TenantRef, acting_as
from tenants.models import Tenant
from tests import conversations
from tests.billing.spending import price
from tests.widgets.chat.test_without_socket import Request, arrived, say
from tests.widgets.chat.visitors import arrive, settle
from widgets.chat import admitting, capping
from widgets.chat.admitting import Allowance, Teller, admit
from widgets.chat.capping import NANO, Payer, Terms, terms_of, with_terms
from widgets.chat.limits import TooSoon
from widgets.chat.streams import bus
from widgets.counting import stopped_by_caps
from widgets.editing import update_widget
from widgets.models import Message, Session, Widget

QUESTION = "How long is the warranty of the hub?"
WORDS = ("The warranty is ", "two years ", "[1].")
ROOMY = {"session": 100 * NANO, "visitor": 100 * NANO, "address": 100 * NANO}
NO_REDIS = "unix:///tmp/no-such-frontdesk.sock"


@pytest.fixture(autouse=True)
def _forgetful(redis):
    admitting.forget()
    pricing.forget()
    limiting._due.clear()
    yield
    pricing.forget()


def payer(address="203.0.113.7", caps=None, tenant=None, **fields):
    given = {"widget_id": uuid7(), "visitor_id": uuid7(), **fields}
    return Payer(
        tenant or TenantRef(uuid7(), "pool"), address=address, terms=Terms({**ROOMY, **(caps or {})}), **given
    )


async def told():
    await bus().flush()


class TestRates:
    async def test_a_visitor_has_one_rate_in_all_processes(self):
        who = payer()
        for _ in range(5):
            await admit(who, "a")
            admitting._tellers.clear()  # another process
            await admit(who, "a")
        with pytest.raises(TooSoon) as refused:
            await admit(who, "mine")
        assert refused.value.own_id == "mine"
        assert 0 < refused.value.retry_after <= 2
        assert refused.value.headers["RateLimit-Policy"].startswith('"visitor-messages";q=10')
        await admit(payer(), "b")

    @pytest.mark.parametrize(
        ("limit", "same"),
        [("PER_ADDRESS", {"address"}), ("PER_WIDGET", {"widget_id"}), ("PER_TENANT", {"tenant"})],
    )
    async def test_so_have_address_widget_and_tenant(self, monkeypatch, limit, same):
        monkeypatch.setattr(admitting, limit, Limit(f"{limit.lower()}-messages", 0.01, 3))
        first = payer()
        shared = {name: getattr(first, name) for name in same}
        for _ in range(3):
            await admit(payer(**shared), "a")
        with pytest.raises(TooSoon):
            await admit(payer(**shared), "a")
        await admit(payer(address="198.51.100.9"), "a")

    @pytest.mark.parametrize(
        ("address", "counted"),
        [
            ("203.0.113.7", "203.0.113.7"),
            ("::ffff:203.0.113.7", "203.0.113.7"),
            ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
            ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
            ("", "none"),
        ],
    )
    def test_ipv6_counts_by_its_64(self, address, counted):
        assert counted_as(address) == counted

    async def test_switched_off_only_caps_hold(self, settings):
        settings.RATE_LIMITS = False
        who = payer()
        for _ in range(30):
            await admit(who, "a")

    async def test_without_redis_they_hold_in_the_process(self, settings):
        settings.REDIS_URL = NO_REDIS
        who = payer()
        for _ in range(10):
            assert (await admit(who, "a")).reached is None
        with pytest.raises(TooSoon):
            await admit(who, "a")

    async def test_a_redis_that_forgot_the_script_is_told_again(self, redis):
        await admit(payer(), "a")
        redis.script_flush()
        both = await asyncio.gather(admit(payer(), "a"), admit(payer(), "b"))
        assert [one.reached for one in both] == [None, None]


@pytest.fixture(params=["Redis", "no Redis"])
def anywhere(request, settings):
    if request.param == "no Redis":
        settings.REDIS_URL = NO_REDIS


class TestCaps:
    @pytest.mark.parametrize("name", ["session", "visitor", "address"])
    async def test_what_was_spent_counts(self, anywhere, name):
        session = uuid7()
        who = payer(caps={name: 3 * NANO}, session_id=session)
        for _ in range(3):
            allowance = await admit(who, "a")
            assert allowance.reached is None
            assert await allowance.cover(Decimal(1), 100)
            allowance.settle(Decimal(1), 100)
            await told()
        assert (await admit(who, "a")).reached == name

    async def test_an_answer_that_might_cost_too_much_is_not_begun(self, anywhere):
        allowance = await admit(payer(caps={"visitor": 2 * NANO}), "a")
        assert not await allowance.cover(Decimal("2.01"), 100)
        assert allowance.reached == "visitor"

    async def test_parallel_questions_cannot_pass_a_cap_together(self, anywhere):
        tenant = TenantRef(uuid7(), "pool")
        many = [payer(caps={"address": 10 * NANO}, tenant=tenant) for _ in range(40)]
        allowances = await asyncio.gather(*(admit(one, "a") for one in many))
        covered = await asyncio.gather(*(one.cover(Decimal(1), 1) for one in allowances))
        assert sum(covered) == 10
        for allowance in [one for one, is_covered in zip(allowances, covered, strict=True) if is_covered][:4]:
            allowance.settle(Decimal("0.5"), 1)
        await told()
        again = [await Allowance(one).cover(Decimal(1), 1) for one in many[:5]]
        assert sum(again) == 2  # 2 spent, 6 held: two more fit

    async def test_an_address_of_another_tenant_has_an_account_of_its_own(self):
        poor = payer(caps={"address": 1})
        assert not await Allowance(poor).cover(Decimal(1), 1)
        assert await Allowance(payer()).cover(Decimal(1), 1)

    async def test_what_is_given_back_is_free_again(self, anywhere):
        who = payer(caps={"visitor": NANO})
        first = await admit(who, "a")
        assert await first.cover(Decimal(1), 1)
        assert not await Allowance(who).cover(Decimal(1), 1)
        first.release()
        await told()
        assert await Allowance(who).cover(Decimal(1), 1)

    async def test_a_hold_of_a_dead_process_frees_itself(self, monkeypatch):
        monkeypatch.setattr(capping, "HELD_S", -1)
        who = payer(caps={"visitor": NANO})
        for _ in range(3):
            assert await Allowance(who).cover(Decimal(1), 1)

    async def test_a_redis_that_lost_its_memory_is_told_what_was_spent(self, redis):
        who = payer(caps={"visitor": NANO})
        Allowance(who).settle(Decimal(1), 1)
        await told()
        redis.flushdb()
        assert (await admit(who, "a")).reached == "visitor"

    async def test_what_the_sessions_row_has_cost_counts(self):
        who = payer(caps={"session": NANO}, session_id=uuid7(), session_cost=NANO)
        assert (await admit(who, "a")).reached == "session"

    async def test_a_new_conversation_begins_with_an_account_of_its_own(self):
        allowance = await admit(payer(caps={"session": NANO}, session_id=uuid7(), session_cost=NANO), "a")
        assert allowance.reached == "session"
        allowance.said_in(uuid7())
        assert allowance.reached is None
        assert await allowance.cover(Decimal(1), 1)

    async def test_a_price_that_nobody_knows_counts_by_tokens(self):
        who = payer(caps={"visitor": NANO})
        assert not await Allowance(who).cover(None, 200_000)
        assert await Allowance(who).cover(None, 90_000)

    async def test_the_usual_answer_takes_one_round_trip(self, monkeypatch):
        trips = []
        run = Teller._run
        monkeypatch.setattr(Teller, "_run", lambda self, batch: trips.append(batch) or run(self, batch))
        who = payer()
        for _ in range(2):
            trips.clear()
            allowance = await admit(who, "a")
            assert await allowance.cover(Decimal("0.02"), 10)
            allowance.settle(Decimal("0.01"), 10)
            await told()
        assert len(trips) == 1

    @given(
        deeds=st.lists(
            st.tuples(st.integers(0, 2), st.integers(1, 400), st.integers(0, 100)), min_size=1, max_size=25
        )
    )
    @how(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_no_order_of_holds_and_settlements_passes_the_cap(self, deeds):
        """An answer costs at most what was held for it, so what was spent and is held never passes the cap."""

        async def live():
            who, held, spent = payer(caps={"visitor": NANO}), [], 0
            for kind, amount, share in deeds:
                dollars = Decimal(amount) / 1000
                if kind == 0 and held:
                    allowance, most = held.pop()
                    cost = most * share / 100
                    spent += cost
                    allowance.settle(cost, 1)
                    await told()
                else:
                    allowance = Allowance(who)
                    fits = spent + sum(most for _, most in held) + dollars <= 1
                    # What is spent exactly is refused as well: nothing is left.
                    full = spent + sum(most for _, most in held) >= 1
                    assert await allowance.cover(dollars, 1) == (fits and not full)
                    if allowance.reached is None:
                        held.append((allowance, dollars))

        async_to_sync(live)()


@pytest.mark.django_db
class TestSettings:
    def terms(self, tenant, widget):
        with acting_as(tenant):
            return terms_of(with_terms(Widget.objects.filter(pk=widget.pk)).get()).caps

    def test_the_widgets_own_then_the_tenants_then_the_installations(self, acme, bolt, settings):
        settings.SPEND_CAPS = {"session": Decimal(1), "visitor": Decimal(2), "address": Decimal(20)}
        widget, theirs = conversations.widget(acme), conversations.widget(bolt)
        with acting_as(acme):
            Tenant.objects.filter(pk=acme.pk).update(
                settings={"visitorDayCapUsd": "0.50", "sessionCapUsd": "9"}
            )
            update_widget(widget.pk, settings={"sessionCapUsd": "0.25"})
        assert self.terms(acme, widget) == {
            "session": NANO // 4,
            "visitor": NANO // 2,
            "address": 20 * NANO,
        }
        assert self.terms(bolt, theirs)["visitor"] == 2 * NANO

    @pytest.mark.parametrize("wrong", ["0", "-1", "1e3", "x", "123456", "1.00001", "٣", 1])
    def test_what_is_no_amount_is_named(self, acme, wrong):
        widget = conversations.widget(acme)
        with acting_as(acme), pytest.raises(InvalidInput) as refused:
            update_widget(widget.pk, settings={"sessionCapUsd": wrong})
        assert [error.field for error in refused.value.errors] == ["settings.sessionCapUsd"]


@pytest.mark.django_db(transaction=True)
class TestConversations:
    """The whole way: an answer costs a dollar."""

    @pytest.fixture
    def model(self, settings):
        settings.LLM_MODEL = "scripted:chat"
        script = Script(WORDS, provider="dear", model="dear", usage=Usage(output_tokens=2_000))
        with scripting("chat", script):
            yield script

    @pytest.fixture
    def widget(self, acme, bolt, model):
        for tenant in (acme, bolt):
            conversations.teach(tenant, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
            with acting_as(tenant):
                price(tenant, provider="dear", model="dear", input=Decimal(0), output=Decimal(500))
        return conversations.known_widget(
            acme, settings={"sessionCapUsd": "2", "visitorDayCapUsd": "9", "locale": "de"}
        )

    async def test_who_reaches_the_cap_is_told_and_can_ask_for_a_person(self, widget, acme, bolt, model):
        visitor = await arrive(widget)
        await visitor.receive()
        assert "two years" in (await visitor.ask(QUESTION))[-1]["message"]["content"]
        await settle()
        assert (await visitor.ask(QUESTION))[-1]["message"]["event"] is None
        await settle()
        frames = await visitor.ask(QUESTION)
        (refusal,) = [frame for frame in frames if frame["type"] == "error"]
        message = frames[-1]["message"]
        assert (refusal["code"], message["event"], message["status"]) == (
            "budget_reached",
            "budget_reached",
            "failed",
        )
        assert "nach einem Menschen" in message["content"]
        assert "cap" not in message["metadata"]
        assert len(model.requests) == 2
        await visitor.send(type="handoff")
        assert (await visitor.until("status"))[-1]["status"] == "waiting"
        await visitor.send(type="message", id=str(uuid.uuid4()), content="Are you there?")
        assert (await visitor.until("ack"))[-1]["seq"] == 8
        await visitor.leave()
        await settle()
        stopped = await sync_to_async(self.stopped)(acme, widget)
        assert stopped == {"session": 1}
        theirs = await sync_to_async(conversations.known_widget)(bolt)
        assert await sync_to_async(self.stopped)(bolt, theirs) == {}
        other = await arrive(theirs)
        await other.receive()
        assert "two years" in (await other.ask(QUESTION))[-1]["message"]["content"]
        await other.leave()
        await settle()

    @staticmethod
    def stopped(tenant, widget):
        with acting_as(tenant):
            return stopped_by_caps(widget)

    async def test_a_cap_survives_the_connection_and_an_empty_redis(self, widget, acme, redis):
        first = await arrive(widget)
        await first.receive()
        for _ in range(2):
            await first.ask(QUESTION)
            await settle()
        await first.leave()
        redis.flushdb()
        admitting.forget()
        again = await arrive(widget, first.booted["visitor_token"])
        await again.receive()
        assert (await again.ask(QUESTION))[-1]["message"]["event"] == "budget_reached"
        await again.leave()
        await settle()

    async def test_many_conversations_from_one_address_are_capped_together(self, widget, acme):
        def cap():
            with acting_as(acme):
                update_widget(widget.pk, settings={"addressDayCapUsd": "3.5", "sessionCapUsd": None})

        await sync_to_async(cap)()
        visitors = [await arrive(widget) for _ in range(6)]
        for visitor in visitors:
            await visitor.receive()
        said = await asyncio.gather(*(visitor.ask(QUESTION) for visitor in visitors))
        events = [frames[-1]["message"]["event"] for frames in said]
        await settle()

        def spent():
            with acting_as(acme):
                costs = CostEvent.objects.filter(service="llm").values_list("cost_usd", flat=True)
                capped = Message.objects.filter(metadata__cap="address").count()
                return sum(costs), capped, Session.objects.count()

        assert await sync_to_async(spent)() == (3, 3, 6)
        assert sorted(map(str, events)) == ["None"] * 3 + ["budget_reached"] * 3
        for visitor in visitors:
            await visitor.leave()

    async def test_over_http_too_soon_is_a_429_that_says_the_limit(self, widget, monkeypatch):
        monkeypatch.setattr(admitting, "PER_ADDRESS", Limit("address-messages", 0.01, 1))
        token = await arrived(widget)
        assert (await (await say(token)).all()).status == 200
        own_id = str(uuid.uuid4())
        refused = await (await say(await arrived(widget), id=own_id)).all()
        assert refused.status == 429
        assert json.loads(refused.body)["code"] == "too_fast"
        assert int(refused.headers["retry-after"]) >= 90
        assert refused.headers["ratelimit-policy"] == '"address-messages";q=1;w=100'
        assert refused.headers["ratelimit"].startswith('"address-messages";r=0;')
        assert "RateLimit" in refused.headers["access-control-expose-headers"]
        kept = await (await Request.send("GET", token, query="after=0")).all()
        assert len(json.loads(kept.body)["messages"]) == 2
        await settle()

    async def test_without_redis_a_visitor_is_answered_within_the_cap(self, widget, settings):
        visitor = await arrive(widget)
        await visitor.receive()
        settings.REDIS_URL = NO_REDIS
        admitting.forget()
        events = []
        for _ in range(3):
            events.append((await visitor.ask(QUESTION))[-1]["message"]["event"])
            await settle()
        assert events == [None, None, "budget_reached"]
        await visitor.leave()
