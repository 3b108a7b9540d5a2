"""What people do in conversations: take over, assign, reply, release, end; and the visitor who asks for one."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.db import connection
from django.utils import timezone

from ai.chat.scripted import Script, scripting
from billing.costs.models import CostEvent
from kernel.errors import Conflict, FrontdeskError, InvalidInput, NotFound
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.creating import create_user
from tests import conversations
from tests.widgets.chat.visitors import arrive, settle
from widgets.chat import asking
from widgets.chat.resuming import read_missed
from widgets.inbox.handing_over import ask_for_person
from widgets.inbox.replying import reply
from widgets.inbox.taking_over import assign, colleague, end, release, take_over
from widgets.models import AnswerRun, Message, Session

QUESTION = "How long is the warranty of the hub?"


def person(tenant, name):
    with acting_as(tenant):
        return create_user(f"{name.lower()}@{tenant.slug}.example", "a long password 1", name=name)


def events(tenant, session):
    with acting_as(tenant):
        rows = Message.objects.filter(session_id=session.pk).order_by("seq")
        assert [row.seq for row in rows] == list(range(1, len(rows) + 1))
        return [row.metadata.get("event") for row in rows if row.role == "system"]


@pytest.fixture
def ada(acme):
    return person(acme, "Ada")


@pytest.fixture
def ben(acme):
    return person(acme, "Ben")


@pytest.fixture
def session(acme, bolt):
    conversations.session(bolt)
    return conversations.session(acme)


class TestWhoHasIt:
    def test_through_a_whole_conversation(self, acme, session, ada, ben):
        with acting_as(acme):
            waiting = ask_for_person(session.pk, "I want a refund")
            assert (waiting.session.status, waiting.message["metadata"]) == ("waiting", {"event": "waiting"})
            assert ask_for_person(session.pk).message is None
            assert assign(session.pk, ben, by=ada).session.status == "waiting"
            taken = take_over(session.pk, ada)
            assert (taken.session.status, taken.session.assignee_id) == ("human", ada.pk)
            assert taken.message["author"] == {"name": "Ada", "avatar_url": None}
            assert take_over(session.pk, ada).message is None
            assert ask_for_person(session.pk).session.status == "human"
            assert assign(session.pk, ben).session.status == "human"
            assert assign(session.pk, None).session.status == "waiting"
            assert release(session.pk, by=ada).session.assignee_id is None
            assert release(session.pk).message is None
            assert end(session.pk, by=ben).session.status == "ended"
            for deed in (release, end, ask_for_person):
                with pytest.raises(Conflict, match="ended"):
                    deed(session.pk)
        assert events(acme, session) == [
            "waiting", "assigned", "taken_over", "assigned", "assigned", "released", "ended",
        ]  # fmt: skip
        with acting_as(acme):
            assert Message.objects.get(seq=1).metadata["reason"] == "I want a refund"
            assert Session.objects.get().ended_at is not None

    def test_a_colleagues_conversation_is_not_taken_but_assigned(self, acme, session, ada, ben):
        with acting_as(acme):
            take_over(session.pk, ada)
            with pytest.raises(Conflict) as refused:
                take_over(session.pk, ben)
        assert refused.value.code == "session_taken"

    def test_another_tenants_sessions_and_people_are_not_there(self, acme, bolt, session, ada):
        theirs = person(bolt, "Bob")
        with acting_as(bolt):
            foreign = Session.objects.get()
        with acting_as(acme):
            for deed in (lambda: take_over(foreign.pk, ada), lambda: end(foreign.pk), lambda: end(uuid7()),
                         lambda: reply(foreign.pk, ada, "Hi")):  # fmt: skip
                with pytest.raises(NotFound):
                    deed()
            with pytest.raises(InvalidInput):
                colleague(theirs.pk)
            assert colleague(ada.pk) == ada
        with acting_as(bolt):
            assert Message.objects.count() == 0


class TestReplying:
    def test_who_replies_has_the_conversation(self, acme, session, ada, ben):
        with acting_as(acme):
            said = reply(session.pk, ada, "Hello, I am Ada.", client_id=(own := uuid.uuid4()))
            assert (said["role"], said["author"]["name"], said["seq"]) == ("assistant", "Ada", 2)
            assert reply(session.pk, ada, "Hello, I am Ada.", client_id=own) == said
            assert reply(session.pk, ben, "And I am Ben.")["seq"] == 3
            now = Session.objects.get()
        assert (now.status, now.assignee_id, now.last_seq) == ("human", ada.pk, 3)

    @pytest.mark.parametrize("content", ["", " \n", "x" * 8_001, "a\0b"])
    def test_what_is_no_message_is_refused_by_name(self, acme, session, ada, content):
        with acting_as(acme), pytest.raises(InvalidInput) as refused:
            reply(session.pk, ada, content)
        assert [error.field for error in refused.value.errors] == ["content"]

    def test_the_ai_answers_only_what_nobody_replied_to(self, acme, session, ada):
        with acting_as(acme):
            take_over(session.pk, ada)
            locked = asking.lock(session.pk)
            asked = asking.say(locked, asking.MessageRole.USER, "Is it open?")
            assert asking.promise_answer(locked, asked["seq"], "Is it open?", None) is None
            reply(session.pk, ada, "Yes.")
            release(session.pk)
            assert read_missed(session.pk, 0).next_run is None
            asking.say(asking.lock(session.pk), asking.MessageRole.USER, "Until when?")
            assert read_missed(session.pk, 0).next_run.question == "Until when?"


@pytest.mark.django_db(transaction=True)
class TestLive:
    @pytest.fixture
    def widget(self, acme, bolt, redis):
        conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
        return conversations.known_widget(acme)

    async def test_the_visitor_sees_it_happen(self, acme, widget):
        ada = await sync_to_async(person)(acme, "Ada")
        visitor = await arrive(widget)
        await visitor.receive()
        session_id = uuid.UUID((await visitor.ask(QUESTION))[0]["session"])

        def people():
            with acting_as(acme):
                take_over(session_id, ada)
            with acting_as(acme):
                reply(session_id, ada, "A person here.")

        await sync_to_async(people, thread_sensitive=False)()
        frames = [await visitor.receive() for _ in range(3)]
        assert [frame["type"] for frame in frames] == ["message", "status", "message"]
        assert frames[0]["message"]["event"] == "taken_over"
        assert frames[1] == {
            "type": "status", "status": "human", "agent": {"name": "Ada", "avatar_url": None},
        }  # fmt: skip
        assert (frames[2]["message"]["content"], frames[2]["message"]["seq"]) == ("A person here.", 4)
        await visitor.send(type="message", id=str(uuid.uuid4()), content="Thanks!")
        assert (await visitor.receive())["type"] == "ack"
        assert await visitor.is_silent()
        await visitor.leave()

    async def test_what_is_rolled_back_is_not_told(self, acme, widget):
        ada = await sync_to_async(person)(acme, "Ada")
        visitor = await arrive(widget)
        await visitor.receive()
        session_id = uuid.UUID((await visitor.ask(QUESTION))[0]["session"])

        def fail():
            with acting_as(acme):
                take_over(session_id, ada)
                raise ValueError

        with pytest.raises(ValueError):
            await sync_to_async(fail, thread_sensitive=False)()
        assert await visitor.is_silent()
        await visitor.leave()

    async def test_an_answer_that_is_being_made_ends_with_what_it_has_said(self, acme, widget, settings):
        settings.LLM_MODEL = "scripted:chat"
        ada = await sync_to_async(person)(acme, "Ada")
        script = Script(
            deltas=("The warranty ", "is ", "never told"), provider="offline", model="test", delay=0.4
        )
        with scripting("chat", script):
            visitor = await arrive(widget)
            await visitor.receive()
            await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
            session_id = uuid.UUID((await visitor.until("delta"))[0]["session"])
            await visitor.receive()

            def take():
                import time

                time.sleep(0.15)
                with acting_as(acme):
                    take_over(session_id, ada)

            await sync_to_async(take, thread_sensitive=False)()
            frames = await visitor.until("status")
            await settle()
            assert await visitor.is_silent()
        told = [frame["message"] for frame in frames if frame["type"] == "message"]
        assert [(m["role"], m["status"], m["content"]) for m in told] == [
            ("assistant", "interrupted", "The warranty is "), ("system", "complete", ""),
        ]  # fmt: skip

        def after():
            with acting_as(acme):
                return list(AnswerRun.objects.values_list("status", flat=True)), CostEvent.objects.filter(
                    session_id=session_id
                ).count()

        assert await sync_to_async(after)() == (["interrupted"], 2)
        await visitor.leave()

    def test_an_answer_whose_process_died_is_recovered_first(self, acme, widget):
        ada, session = person(acme, "Ada"), conversations.session(acme)
        with acting_as(acme):
            locked = asking.lock(session.pk)
            asking.say(locked, asking.MessageRole.USER, "Hello?")
            asking.promise_answer(locked, 1, "Hello?", None)
            AnswerRun.objects.update(lease_until=timezone.now() - timedelta(minutes=1))
        with acting_as(acme):
            taken = take_over(session.pk, ada)
        assert taken.message["seq"] == 3
        with acting_as(acme):
            assert AnswerRun.objects.get().status == "interrupted"

    def test_one_of_many_who_take_over_at_once_wins(self, acme, redis):
        people = [person(acme, f"Person{number}") for number in range(4)]
        for _ in range(5):
            session = conversations.session(acme)

            def try_it(agent, session=session):
                try:
                    with acting_as(acme):
                        return take_over(session.pk, agent).session.assignee_id
                except FrontdeskError as error:
                    return error.code
                finally:
                    connection.close()

            with ThreadPoolExecutor(4) as threads:
                outcomes = list(threads.map(try_it, people))
            assert sorted(map(str, outcomes)).count("session_taken") == 3
            assert events(acme, session) == ["taken_over"]
