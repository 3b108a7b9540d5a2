"""Every type of event: published by what it names, described, and told with the very object that REST shows."""

import itertools
import re
import uuid
from decimal import Decimal

import jsonschema
import orjson
import pytest
from django.db import connection

from ai.usage import Usage
from billing.costs import watching
from billing.costs.budgeting import create_budget
from billing.costs.budgets import BudgetReached, reserve
from billing.costs.ledger import NewCostEvent
from config.api import document
from config.env import CHECKOUT
from kernel.ids import uuid7
from knowledge import ingest
from knowledge.documents import delete_document, save_document
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import OutboxEvent
from tenants.webhooks.catalogue import EventType, event_type, event_types, is_known
from tenants.webhooks.endpoints import create_endpoint
from tenants.webhooks.replaying import send_test
from tests import conversations
from tests.billing.spending import spend
from tests.tenants.callers import caller
from widgets.chat import asking, replying
from widgets.chat.replying import Draft
from widgets.chat.visiting import Guest
from widgets.feedback.rating import rate
from widgets.headless.conversations import open_conversation
from widgets.inbox import taking_over
from widgets.inbox.handing_over import ask_for_person
from widgets.inbox.replying import reply
from widgets.models import MessageStatus, RunStatus, Session

pytestmark = pytest.mark.django_db(transaction=True)

GUIDE = CHECKOUT / "docs" / "guides" / "api.md"


@pytest.fixture
def endpoint(acme, bolt):
    """Acme wants to be told of everything. Bolt does as well, and nothing happens there."""
    for tenant in (bolt, acme):
        with acting_as(tenant):
            made, _ = create_endpoint(url="https://receiver.example/hook")
    return made.pk


@pytest.fixture
def guest(acme):
    widget = conversations.widget(acme)
    with acting_as(acme) as ref:
        return Guest(ref, widget.pk, uuid7())


def told(tenant):
    """What was published, in order."""
    with acting_as(tenant):
        return [
            orjson.loads(body) for body in OutboxEvent.objects.order_by("id").values_list("body", flat=True)
        ]


def since(tenant, seen):
    return [(one["type"], one["data"]) for one in told(tenant)[seen:]]


def answered(run):
    costs = [
        NewCostEvent(
            service="llm", provider="openai", model="gpt-5-mini", idempotency_key=str(run.id),
            session_id=run.session_id, message_id=run.message_id, usage=Usage(input_tokens=9, output_tokens=3),
        )
    ]  # fmt: skip
    return Draft("Three years.", MessageStatus.COMPLETE, metadata={"model": "gpt-5-mini"}, costs=costs)


class TestConversations:
    def test_messages_are_told_as_rest_shows_them(self, client, acme, bolt, endpoint, guest, redis):
        call = caller(client, acme)
        with acting_as(acme):
            asked = asking.ask(guest, uuid.uuid4(), "How long is the warranty?", metadata={"page": "/"})
        with acting_as(acme):
            replying.reply(asked.run, answered(asked.run))
        with acting_as(acme):
            agent = create_user("ada@acme.com", "a long enough password", name="Ada")
            reply(asked.session_id, agent, "I can help.")
        types = [one["type"] for one in told(acme)]
        assert types == [
            "session.created", "message.created", "message.created", "session.taken_over", "message.created",
        ]  # fmt: skip
        messages = call("GET", f"sessions/{asked.session_id}/messages/").json()["results"]
        shown = [one for one in reversed(messages) if one["role"] != "system"]
        assert [one["data"] for one in told(acme) if one["type"] == "message.created"] == shown
        assert [one["role"] for one in shown] == ["user", "assistant", "assistant"]
        assert shown[1]["metadata"]["costUsd"] is not None
        assert shown[2]["author"] == {"name": "Ada", "avatar_url": None}
        assert told(bolt) == []

    def test_a_resend_tells_nothing_again(self, acme, endpoint, guest):
        for _ in range(2):
            with acting_as(acme):
                asking.ask(guest, uuid.UUID(int=7), "Once")
        assert [one["type"] for one in told(acme)] == ["session.created", "message.created"]

    def test_an_answer_that_somebody_else_ended_is_not_told(self, acme, endpoint, guest):
        with acting_as(acme):
            asked = asking.ask(guest, uuid.uuid4(), "Well?")
        for _ in range(2):
            with acting_as(acme):
                replying.reply(asked.run, answered(asked.run))
        assert [one["type"] for one in told(acme)].count("message.created") == 2

    def test_each_change_of_a_conversation_shows_it_as_it_is_then(self, client, acme, endpoint, redis):
        call = caller(client, acme)
        with acting_as(acme):
            ada = create_user("ada@acme.com", "a long enough password", name="Ada")
            session, _ = open_conversation()
        deeds = [
            ("session.handed_over", lambda: ask_for_person(session.pk, "please"), "waiting"),
            ("session.taken_over", lambda: taking_over.take_over(session.pk, ada), "human"),
            ("session.released", lambda: taking_over.release(session.pk, ada), "ai"),
            ("session.assigned", lambda: taking_over.assign(session.pk, ada), "ai"),
            ("session.ended", lambda: taking_over.end(session.pk, ada), "ended"),
        ]
        seen = 1
        assert since(acme, 0)[0][0] == "session.created"
        for name, deed, status in deeds:
            with acting_as(acme):
                deed()
            shown = call("GET", f"sessions/{session.pk}/").json()
            assert shown["status"] == status
            assert since(acme, seen) == [(name, shown)]
            seen += 1

    def test_a_conversation_that_nobody_has_any_more_waits(self, acme, endpoint):
        with acting_as(acme):
            ada = create_user("ada@acme.com", "a long enough password", name="Ada")
            session, _ = open_conversation()
            taking_over.take_over(session.pk, ada)
            taking_over.assign(session.pk, None)
        assert [name for name, _ in since(acme, 2)] == ["session.assigned", "session.handed_over"]

    def test_feedback(self, client, acme, endpoint, guest, redis):
        with acting_as(acme):
            asked = asking.ask(guest, uuid.uuid4(), "Well?")
            replying.reply(asked.run, answered(asked.run))
        seen = len(told(acme))
        with acting_as(acme):
            given = rate(guest.visitor_id, asked.run.message_id, 1)
            rate(guest.visitor_id, asked.run.message_id, 1)
        shown = caller(client, acme)("GET", f"feedback/{given.pk}/").json()
        assert since(acme, seen) == [("feedback.created", shown)]


class TestHotPath:
    """What an answer costs the database: one function per question and per answer, webhooks or not."""

    def statements(self, deed):
        sent = []

        def note(execute, sql, params, many, context):
            sent.append(sql)
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            deed()
        return sent

    def test_a_tenant_without_webhooks_pays_no_round_trip(self, acme, bolt, guest):
        with acting_as(bolt):
            create_endpoint(url="https://receiver.example/hook")
        with acting_as(acme):
            asking.ask(guest, uuid.uuid4(), "The first makes the session.")
        with acting_as(acme):
            replying.end_run(asking.running(Session.objects.get().pk).pk, RunStatus.INTERRUPTED)
        asked = []
        with acting_as(acme):
            said = self.statements(lambda: asked.append(asking.ask(guest, uuid.uuid4(), "Well?")))
        assert len(said) == 1
        with acting_as(acme):
            ended = self.statements(lambda: replying._end(asked[0].run, answered(asked[0].run)))
        assert len(ended) == 1
        assert told(acme) == []

    def test_with_webhooks_an_event_is_one_more(self, acme, guest, endpoint):
        with acting_as(acme):
            asking.ask(guest, uuid.uuid4(), "The first makes the session.")
        with acting_as(acme):
            said = self.statements(lambda: asking.ask(guest, uuid.uuid4(), "Well?"))
        assert len(said) == 2
        assert "publish_event" in said[1]


class TestBudgets:
    def test_changed_and_both_kinds_of_alert(self, acme, endpoint):
        with acting_as(acme):
            create_budget(limit_usd=Decimal(10), hard_cap=True)
        spend(acme, "9")
        with acting_as(acme):
            watching.look()
        with acting_as(acme), pytest.raises(BudgetReached):
            reserve(amount=Decimal(2), purpose_id=uuid7())
        assert [(name, data.get("fraction")) for name, data in since(acme, 0)] == [
            ("budget.changed", None),
            ("budget.threshold_reached", 0.8),
            ("budget.cap_reached", 1.0),
        ]


class TestDocuments:
    def test_ready_failed_and_deleted(self, client, acme, endpoint, redis, monkeypatch):
        call = caller(client, acme)
        made = conversations.teach(acme, "Warranty", "The warranty is three years.")

        def listed():
            return call("GET", "documents/").json()["results"][0]

        assert since(acme, 0) == [("document.ready", listed())]
        with acting_as(acme) as ref:
            save_document(title="Warranty", content="Other words.", external_id="x")
        ingest.give_up(ref, uuid.UUID(listed()["id"]), "It cannot be read.")
        assert since(acme, 1) == [("document.failed", listed())]
        assert listed()["error"] == "It cannot be read."
        shown = next(one for one in call("GET", "documents/").json()["results"] if one["id"] == str(made.pk))
        with acting_as(acme):
            delete_document(made.pk)
        ((name, data),) = since(acme, 2)
        assert name == "document.deleted"
        changed = {field for field in data if data[field] != shown[field]}
        assert (data["id"], changed) == (str(made.pk), {"version", "updated_at"})


def test_the_test(acme, endpoint):
    with acting_as(acme):
        send_test(endpoint)
    assert [name for name, _ in since(acme, 0)] == ["webhook.test"]


class TestCatalogue:
    def test_every_type_is_described_by_a_schema_that_exists(self):
        described = document()
        assert set(described["webhooks"]) == {event.name for event in event_types()}
        schemas = described["components"]["schemas"]
        for event in event_types():
            assert event.schema in schemas, event.name
            assert event.description.endswith("."), event.name
            assert re.fullmatch(r"[a-z]+\.[a-z_]+", event.name)
            (told_of,) = described["webhooks"][event.name].values()
            names = [one["name"] for one in told_of["parameters"]]
            assert names == ["webhook-id", "webhook-timestamp", "webhook-signature"]

    def test_every_type_stands_in_the_guide(self):
        guide = GUIDE.read_text()
        assert [event.name for event in event_types() if f"`{event.name}`" not in guide] == []

    def test_every_type_is_published_by_something(self):
        """Its constant is used by a module other than the one that declares it."""
        sources = {
            path: path.read_text()
            for room in ("tenants", "billing", "knowledge", "widgets", "meetings")
            for path in (CHECKOUT / room).rglob("*.py")
            if "migrations" not in path.parts
        }
        declared = {
            name: path
            for path, text in sources.items()
            for name in re.findall(r"^([A-Z_]+): Final = event_type\(", text, re.MULTILINE)
        }
        assert len(declared) == len(event_types())
        unused = {
            name
            for name, path in declared.items()
            if not any(
                name in text.replace(f"{name}: Final = event_type", "")
                for other, text in sources.items()
                if other != path or text.count(name) > 1
            )
        }
        assert unused == set()

    def test_a_name_is_taken_once(self):
        with pytest.raises(ValueError, match="twice"):
            event_type("webhook.test", "Again.", schema="WebhookEndpoint")
        assert not is_known("no.such")
        assert isinstance(event_types()[0], EventType)

    def test_what_is_told_fits_what_is_described(self, acme, endpoint, guest):
        with acting_as(acme):
            asked = asking.ask(guest, uuid.uuid4(), "Well?")
            replying.reply(asked.run, answered(asked.run))
            rate(guest.visitor_id, asked.run.message_id, -1, "no")
            taking_over.end(asked.session_id)
            send_test(endpoint)
            create_budget(limit_usd=Decimal(1))
        spend(acme, "2")
        with acting_as(acme):
            watching.look()
        conversations.teach(acme, "Warranty", "The warranty is three years.")
        described = document()
        bodies = told(acme)
        for body in bodies:
            (operation,) = described["webhooks"][body["type"]].values()
            schema = {
                **operation["requestBody"]["content"]["application/json"]["schema"],
                "components": described["components"],
            }
            jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(body)
        assert len({body["type"] for body in bodies}) == 8
        stamps = [body["timestamp"] for body in bodies]
        assert all(one <= other for one, other in itertools.pairwise(stamps))
