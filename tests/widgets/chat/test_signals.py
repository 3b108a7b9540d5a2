"""Feedback, typing, read and handoff: what each frame does, and to whom it does nothing."""

import uuid

import pytest
from asgiref.sync import sync_to_async

from kernel.ids import uuid7
from tenants.context import acting_as
from tests import conversations
from tests.widgets.chat.visitors import arrive, boot, settle
from widgets.chat import asking, limits
from widgets.models import Feedback, Message, MessageRole, Session

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "How long is the warranty of the hub?"


@pytest.fixture(params=["pool", "dedicated schema"])
def home(request, redis, bolt):
    """A tenant in each kind of schema, and its widget."""
    tenant = request.getfixturevalue("acme" if request.param == "pool" else "cargo")
    conversations.teach(tenant, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    return tenant, conversations.known_widget(tenant)


@pytest.fixture
def widget(acme, bolt, redis):
    conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    return conversations.known_widget(acme)


def stored(tenant, model, *columns):
    with acting_as(tenant):
        return list(model.objects.order_by("id").values_list(*columns))


async def rows(tenant, model, *columns):
    return await sync_to_async(stored)(tenant, model, *columns)


async def asked(widget):
    """A visitor with one answer, and its id."""
    visitor = await arrive(widget)
    await visitor.receive()
    return visitor, (await visitor.ask(QUESTION))[-1]["message"]["id"]


async def at_rest(visitor):
    """The frames before have been dealt with, without a word."""
    await visitor.send(type="ping")
    assert await visitor.receive() == {"type": "pong"}


async def history(visitor):
    await visitor.send(type="resume", after=0)
    return (await visitor.until("history"))[-1]["messages"]


class TestFeedback:
    async def test_it_is_kept_changed_and_found_again(self, home):
        tenant, widget = home
        visitor, answer = await asked(widget)
        kept = lambda: rows(tenant, Feedback, "message_id", "rating", "comment")  # noqa: E731
        about = uuid.UUID(answer)
        await visitor.send(type="feedback", message_id=answer, rating=-1)
        await visitor.send(type="feedback", message_id=answer, rating=-1, comment="Which hub?")
        await at_rest(visitor)
        assert await kept() == [(about, -1, "Which hub?")]
        await visitor.send(type="feedback", message_id=answer, rating=-1)
        await at_rest(visitor)
        assert await kept() == [(about, -1, "Which hub?")], "the same rating keeps its comment"
        question, told = await history(visitor)
        assert told["metadata"]["feedback"] == {"rating": -1, "comment": "Which hub?"}
        assert "feedback" not in question["metadata"]
        await visitor.send(type="feedback", message_id=answer, rating=1)
        await at_rest(visitor)
        assert await kept() == [(about, 1, "")], "the comment was about the other rating"
        await visitor.leave()
        again = (await sync_to_async(boot)(widget, visitor.booted["visitor_token"])).json()
        assert again["messages"][1]["metadata"]["feedback"]["rating"] == 1

    async def test_it_stays_possible_after_the_end(self, widget, acme):
        visitor, answer = await asked(widget)
        await visitor.send(type="end")
        await visitor.until("status")
        await visitor.send(type="feedback", message_id=answer, rating=1)
        await at_rest(visitor)
        assert await rows(acme, Feedback, "rating") == [(1,)]
        await visitor.leave()

    async def test_only_answers_of_ones_own_can_be_rated(self, widget, acme, bolt):
        theirs = await sync_to_async(_answered)(bolt)
        neighbour = await sync_to_async(_answered)(acme)
        visitor, _ = await asked(widget)
        (question,) = [pk for pk, role in await rows(acme, Message, "id", "role") if role == "user"][-1:]
        for other in (theirs, neighbour, question, uuid7()):
            await visitor.send(type="feedback", message_id=str(other), rating=1, comment="mine")
            refused = await visitor.receive()
            assert (refused["type"], refused["code"], refused["id"]) == ("error", "not_found", str(other))
        assert await rows(acme, Feedback, "id") == []
        assert await rows(bolt, Feedback, "id") == []
        await visitor.leave()

    @pytest.mark.parametrize(
        ("wrong", "named"),
        [
            ({"rating": 0}, "rating"),
            ({"rating": True}, "rating"),
            ({"rating": 1.0}, "rating"),
            ({"rating": "1"}, "rating"),
            ({"message_id": "x"}, "message_id"),
            ({"comment": "x" * 2001}, "comment"),
            ({"comment": "nul\0"}, "comment"),
        ],
    )
    async def test_what_is_wrong_is_named(self, widget, acme, wrong, named):
        visitor, answer = await asked(widget)
        await visitor.send(**{"type": "feedback", "message_id": answer, "rating": 1, **wrong})
        refused = await visitor.receive()
        assert (refused["code"], refused["detail"].partition(":")[0]) == ("bad_frame", named)
        assert await rows(acme, Feedback, "id") == []
        await visitor.leave()

    async def test_a_flood_is_slowed(self, widget, monkeypatch):
        monkeypatch.setattr(limits, "DEEDS_AT_ONCE", 2)
        monkeypatch.setattr(limits, "DEEDS_PER_S", 0.01)
        visitor, answer = await asked(widget)
        for _ in range(3):
            await visitor.send(type="feedback", message_id=answer, rating=1)
        refused = await visitor.receive()
        assert (refused["code"], refused["id"]) == ("too_fast", answer)
        assert refused["retry_after"] > 0
        await visitor.leave()


def _answered(tenant):
    """The id of an answer that another visitor got."""
    session = conversations.session(tenant)
    with acting_as(tenant):
        said = asking.say(asking.lock(session.pk), MessageRole.ASSISTANT, "Yes.")
    return uuid.UUID(said["id"])


class TestTyping:
    async def test_it_is_relayed_to_the_others_and_kept_nowhere(self, widget, acme):
        visitor, _ = await asked(widget)
        other = await arrive(widget, visitor.booted["visitor_token"])
        stranger, _ = await asked(widget)
        await other.receive()
        await visitor.send(type="typing")
        assert await other.receive() == {"type": "typing", "who": "visitor"}
        assert await visitor.is_silent()
        assert await stranger.is_silent()
        assert len(await rows(acme, Message, "id")) == 4
        for socket in (visitor, other, stranger):
            await socket.leave()

    async def test_a_flood_of_it_is_thinned(self, widget):
        visitor, _ = await asked(widget)
        other = await arrive(widget, visitor.booted["visitor_token"])
        await other.receive()
        for _ in range(50):
            await visitor.send(type="typing")
        await at_rest(visitor)
        await other.send(type="ping")
        heard = await other.until("pong")
        assert 1 <= len(heard) - 1 <= limits.TYPING_AT_ONCE + 1
        await visitor.leave()
        await other.leave()

    async def test_before_the_first_message_there_is_nobody_to_tell(self, widget, acme):
        visitor = await arrive(widget)
        await visitor.receive()
        await visitor.send(type="typing")
        await at_rest(visitor)
        assert await rows(acme, Session, "id") == []
        await visitor.leave()


class TestRead:
    async def test_how_far_is_kept_and_told_by_boot(self, home, bolt):
        tenant, widget = home
        theirs = await sync_to_async(conversations.session)(bolt)
        visitor, _ = await asked(widget)
        for seq in (1, 2, 1, 99):
            await visitor.send(type="read", seq=seq)
        await at_rest(visitor)
        assert await rows(tenant, Session, "read_seq") == [(2,)]
        assert await rows(bolt, Session, "id", "read_seq") == [(theirs.pk, 0)]
        booted = await sync_to_async(boot)(widget, visitor.booted["visitor_token"])
        assert booted.json()["read_seq"] == 2
        assert visitor.booted["read_seq"] == 0
        await visitor.leave()

    async def test_what_was_never_sent_cannot_have_been_read(self, widget, acme):
        visitor, _ = await asked(widget)
        await visitor.leave()
        late = await arrive(widget, visitor.booted["visitor_token"])
        await late.receive()
        await late.send(type="read", seq=2_000_000_000)
        await at_rest(late)
        assert await rows(acme, Session, "read_seq", "last_seq") == [(2, 2)]
        await late.leave()

    @pytest.mark.parametrize("seq", [-1, "1", 1.5, 2**31, None])
    async def test_a_wrong_seq_is_named(self, widget, seq):
        visitor, _ = await asked(widget)
        await visitor.send(type="read", seq=seq)
        refused = await visitor.receive()
        assert (refused["code"], refused["detail"].partition(":")[0]) == ("bad_frame", "seq")
        await visitor.leave()


class TestHandoff:
    async def test_the_session_waits_for_a_person_and_says_so(self, home, bolt):
        tenant, widget = home
        theirs = await sync_to_async(conversations.session)(bolt)
        visitor, _ = await asked(widget)
        await visitor.send(type="handoff", reason="It still blinks")
        message, status = await visitor.receive(), await visitor.receive()
        assert (message["message"]["role"], message["message"]["event"]) == ("system", "waiting")
        assert (status["type"], status["status"]) == ("status", "waiting")
        await visitor.send(type="handoff")
        await at_rest(visitor)
        assert await rows(tenant, Session, "status") == [("waiting",)]
        assert await rows(bolt, Session, "id", "status") == [(theirs.pk, "ai")]
        # A person is to answer now: the question is acknowledged and no answer begins.
        await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
        assert (await visitor.receive())["type"] == "ack"
        await settle()
        assert await visitor.is_silent()
        await visitor.leave()

    async def test_without_a_conversation_there_is_nothing_to_hand_over(self, widget, acme):
        visitor = await arrive(widget)
        await visitor.receive()
        await visitor.send(type="handoff")
        assert (await visitor.receive())["code"] == "not_found"
        assert await rows(acme, Session, "id") == []
        await visitor.leave()

    async def test_after_the_end_it_is_refused(self, widget):
        visitor, _ = await asked(widget)
        await visitor.send(type="end")
        await visitor.until("status")
        await visitor.send(type="handoff")
        assert (await visitor.receive())["code"] == "session_ended"
        await visitor.leave()

    @pytest.mark.parametrize("reason", ["x" * 501, "nul\0", 7])
    async def test_a_wrong_reason_is_named(self, widget, reason):
        visitor, _ = await asked(widget)
        await visitor.send(type="handoff", reason=reason)
        refused = await visitor.receive()
        assert (refused["code"], refused["detail"].partition(":")[0]) == ("bad_frame", "reason")
        await visitor.leave()
