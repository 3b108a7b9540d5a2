"""The socket, end to end: what a visitor sends, sees and finds again."""

import asyncio
import uuid

import pytest
from asgiref.sync import sync_to_async

from ai.chat.scripted import Script, scripting
from billing.costs.models import Budget, CostEvent
from kernel.errors import ProviderError
from knowledge.models import Chunk
from tenants.context import acting_as
from tests import conversations
from tests.widgets.chat.visitors import arrive, boot, connect, settle
from widgets.chat import asking, recovery
from widgets.models import AnswerRun, Message, Session, Widget

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "How long is the warranty of the hub?"
SCRIPTED = "scripted:chat"


@pytest.fixture
def widget(acme, bolt, redis):
    conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
    conversations.teach(
        acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years from the day of purchase."
    )
    conversations.teach(
        acme, "Returns", "# Returns\n\nYou may return anything within thirty days for a full refund."
    )
    return conversations.known_widget(acme)


@pytest.fixture
def scripted(settings):
    """The chat model says what the test wrote."""
    settings.LLM_MODEL = SCRIPTED
    script = Script(deltas=("The warranty is ", "two years ", "[1]."), provider="offline", model="test")
    with scripting("chat", script):
        yield script


def stored(tenant, model, **lookup):
    with acting_as(tenant):
        return list(model.objects.filter(**lookup))


async def rows(tenant, model, **lookup):
    return await sync_to_async(stored)(tenant, model, **lookup)


@pytest.fixture(params=["pool", "dedicated schema"])
def home(request, redis, bolt):
    """A tenant that knows about warranties, in each kind of schema, and its widget."""
    tenant = request.getfixturevalue("acme" if request.param == "pool" else "cargo")
    conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
    conversations.teach(tenant, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    conversations.teach(
        tenant, "Returns", "# Returns\n\nYou may return anything within thirty days for a refund."
    )
    return tenant, conversations.known_widget(tenant)


async def test_a_question_is_acknowledged_streamed_committed_and_paid_for(home, bolt):
    acme, widget = home
    visitor = await arrive(widget)
    assert await visitor.receive() == {"type": "ready", "session": None, "last_seq": 0}
    client_id = str(uuid.uuid4())
    frames = await visitor.ask(QUESTION, client_id)
    kinds = [frame["type"] for frame in frames]
    assert kinds[:2] == ["ack", "start"]
    assert set(kinds[2:-1]) == {"delta"}
    ack, message = frames[0], frames[-1]["message"]
    deltas = frames[2:-1]
    assert "".join(frame["text"] for frame in deltas) == message["content"]
    assert [frame["offset"] for frame in deltas] == [
        sum(len(earlier["text"]) for earlier in deltas[:place]) for place in range(len(deltas))
    ]
    assert (ack["id"], ack["seq"], message["seq"], message["role"]) == (client_id, 1, 2, "assistant")
    assert "two years" in message["content"]
    assert "nine months" not in message["content"]
    assert message["citations"]
    for citation in message["citations"]:
        chunk = (await rows(acme, Chunk, pk=citation["chunk_id"]))[0]
        assert citation["quote"] in chunk.content
    events = await rows(acme, CostEvent, session_id=ack["session"])
    assert {event.service for event in events} == {"embedding", "llm"}
    assert all(str(event.message_id) == message["id"] for event in events)
    (session,) = await rows(acme, Session, pk=ack["session"])
    assert session.cost_usd == sum(event.cost_usd for event in events)
    assert await rows(bolt, Message) == []
    await visitor.leave()


async def test_what_nobody_wrote_down_is_not_answered(widget):
    visitor = await arrive(widget)
    await visitor.receive()
    message = (await visitor.ask("Which xylophone did Mozart prefer?"))[-1]["message"]
    assert (message["event"], message["citations"], message["status"]) == ("abstained", [], "complete")
    assert message["content"].startswith("I don't know")
    await visitor.leave()


async def test_a_resend_changes_nothing(widget, acme):
    visitor = await arrive(widget)
    await visitor.receive()
    client_id = str(uuid.uuid4())
    first = (await visitor.ask(QUESTION, client_id))[0]
    await visitor.send(type="message", id=client_id, content=QUESTION)
    assert await visitor.receive() == first
    assert await visitor.is_silent()
    assert len(await rows(acme, Message)) == 2
    await visitor.leave()


async def test_another_tab_sees_everything_once(widget):
    first = await arrive(widget)
    await first.receive()
    await first.ask(QUESTION)
    second = await arrive(widget, first.booted["visitor_token"])
    ready = await second.receive()
    assert ready["last_seq"] == 2
    asked = await first.ask("And returns? May I return anything within thirty days?")
    question = (await second.receive())["message"]
    assert (question["role"], question["seq"]) == ("user", 3)
    seen = await second.until("message")
    assert [frame for frame in asked if frame["type"] != "ack"] == seen
    await first.leave()
    await second.leave()


async def test_resume_tells_all_and_the_running_answer(widget, scripted):
    scripted.deltas, scripted.delay = tuple(f"word{n} warranty hub years " for n in range(20)), 0.03
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
    await visitor.until("delta")
    await visitor.leave()
    again = await arrive(widget, visitor.booted["visitor_token"])
    await again.receive()
    await again.send(type="resume", after=0)
    history = (await again.until("history"))[-1]
    assert [message["role"] for message in history["messages"]] == ["user"]
    text = history["partial"]["text"]
    for frame in await again.until("message"):
        if frame["type"] == "delta":
            assert frame["offset"] == len(text)
            text += frame["text"]
        else:
            assert frame["message"]["content"] == text == "".join(scripted.deltas)
            assert frame["message"]["seq"] == 2
    await again.leave()


async def test_every_resume_is_answered(widget):
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.send(type="resume", after=0)
    assert await visitor.receive() == {"type": "history", "messages": [], "complete": True}
    await visitor.ask(QUESTION)
    await visitor.send(type="resume", after=1)
    history = await visitor.receive()
    assert [message["seq"] for message in history["messages"]] == [2]
    await visitor.leave()


async def test_a_visitor_who_leaves_is_answered_all_the_same(widget, acme, scripted):
    scripted.delay = 0.05
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
    await visitor.until("start")
    await visitor.leave()
    await settle()
    answer = (await rows(acme, Message, role="assistant"))[0]
    assert answer.content == "The warranty is two years [1]."
    assert {event.service for event in await rows(acme, CostEvent, message_id=answer.pk)} == {
        "embedding",
        "llm",
    }


async def test_stop_keeps_what_was_said(widget, scripted):
    scripted.deltas, scripted.delay = ("The warranty ", *("of the hub " for _ in range(50))), 0.05
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
    said = await visitor.until("delta")
    await visitor.send(type="stop")
    said += await visitor.until("message")
    message = said[-1]["message"]
    assert message["status"] == "interrupted"
    assert message["content"] == "".join(frame["text"] for frame in said if frame["type"] == "delta")
    assert len(message["content"]) < 200
    await visitor.leave()


@pytest.mark.parametrize(
    "code", ["rate_limited", "unavailable", "stalled", "timeout", "bad_response", "unauthorized"]
)
async def test_a_model_that_fails_before_it_speaks(widget, acme, scripted, code):
    scripted.error, scripted.error_at = ProviderError("no", provider="openai", retryable=False, code=code), 0
    visitor = await arrive(widget)
    await visitor.receive()
    client_id = str(uuid.uuid4())
    frames = await visitor.ask(QUESTION, client_id)
    error, message = frames[-2], frames[-1]["message"]
    assert (error["type"], error["code"], error["id"]) == ("error", "model_unavailable", client_id)
    assert message["status"] == "failed"
    assert message["content"].startswith("I can't answer right now")
    assert {event.service for event in await rows(acme, CostEvent)} >= {"embedding"}
    assert len(await rows(acme, Message)) == 2
    await visitor.leave()


async def test_a_model_that_breaks_off_is_billed_and_its_words_are_kept(widget, acme, scripted):
    scripted.error, scripted.error_at = ProviderError("cut", provider="openai", retryable=True, code="cut"), 2
    visitor = await arrive(widget)
    await visitor.receive()
    message = (await visitor.ask(QUESTION))[-1]["message"]
    assert (message["status"], message["content"]) == ("interrupted", "The warranty is two years ")
    (event,) = await rows(acme, CostEvent, service="llm")
    assert event.estimated
    assert event.output_tokens > 0
    scripted.error = None
    assert (await visitor.ask(QUESTION))[-1]["message"]["status"] == "complete"
    await visitor.leave()


async def test_a_spent_budget_is_said_and_the_question_kept(widget, acme, settings):
    settings.LLM_MODEL = SCRIPTED
    with scripting("chat", Script(provider="openai", model="gpt-4o")):
        await sync_to_async(_cap)(acme, "0.000001")
        visitor = await arrive(widget)
        await visitor.receive()
        frames = await visitor.ask(QUESTION)
        assert [frame["code"] for frame in frames if frame["type"] == "error"] == ["budget_reached"]
        assert frames[-1]["message"]["status"] == "failed"
        assert await rows(acme, CostEvent, service="llm") == []
        await visitor.leave()


def _cap(tenant, limit):
    with acting_as(tenant):
        Budget.objects.create(period="monthly", limit_usd=limit, hard_cap=True)


async def test_what_is_asked_meanwhile_is_answered_next(widget, acme, scripted):
    scripted.delay = 0.1
    visitor = await arrive(widget)
    await visitor.receive()
    await visitor.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
    await visitor.until("start")
    await visitor.send(type="message", id=str(uuid.uuid4()), content="Is the warranty of the hub two years?")
    await visitor.until("message")
    second = await visitor.until("message")
    assert "start" in [frame["type"] for frame in second]
    assert second[-1]["message"]["seq"] == 4
    assert [m.seq for m in await rows(acme, Message)] == [1, 2, 3, 4]
    await visitor.leave()


async def test_a_dead_processes_answer_is_ended_for_who_comes_back(widget, acme):
    visitor = await arrive(widget)
    await visitor.receive()
    first = await visitor.ask(QUESTION)
    await visitor.leave()
    session = uuid.UUID(first[0]["session"])
    run = await sync_to_async(_die_answering)(acme, session)
    again = await arrive(widget, visitor.booted["visitor_token"])
    await again.receive()
    await again.send(type="resume", after=2)
    history = await again.receive()
    assert [(m["seq"], m["role"], m["status"]) for m in history["messages"]] == [
        (3, "user", "complete"),
        (4, "assistant", "interrupted"),
    ]
    assert history["messages"][1]["id"] == str(run.message_id)
    (event,) = await rows(acme, CostEvent, idempotency_key=f"answer:{run.id}:llm")
    assert (event.estimated, event.input_tokens) == (True, 100)
    assert (await again.ask(QUESTION))[-1]["message"]["seq"] == 6
    await again.leave()


async def test_beat_ends_what_nobody_comes_back_for(widget, acme, bolt):
    visitor = await arrive(widget)
    await visitor.receive()
    first = await visitor.ask(QUESTION)
    run = await sync_to_async(_die_answering)(acme, uuid.UUID(first[0]["session"]))
    assert await sync_to_async(recovery.recover_overdue)() == 1
    frames = await visitor.until("message")
    assert frames[-1]["message"]["id"] == str(run.message_id)
    assert frames[-1]["message"]["status"] == "interrupted"
    assert await sync_to_async(recovery.recover_overdue)() == 0
    await visitor.leave()


def _die_answering(tenant, session_id):
    """As if another process had taken a question and been killed while it answered."""
    from datetime import timedelta

    from django.utils import timezone

    from kernel.ids import uuid7
    from tenants import due_work
    from widgets.models import MessageRole

    past = timezone.now() - timedelta(seconds=5)
    with acting_as(tenant):
        session = asking.lock(session_id)
        message = asking.say(session, MessageRole.USER, "Are you there?", client_id=uuid7())
        run = asking.promise_answer(
            session, message["seq"], message["content"], uuid.UUID(message["client_id"])
        )
        AnswerRun.objects.filter(pk=run.id).update(
            lease_until=past, metadata={"provider": "offline", "model": "extractive", "inputTokens": 100}
        )
        due_work.promise(asking.ANSWER_DUE, run.id, past)
    return run


async def test_tickets_are_for_one_connection_from_one_origin(widget):
    visitor = await arrive(widget)
    await visitor.receive()
    used = await connect(visitor.booted, "https://acme.example")
    with pytest.raises(ConnectionError):
        await used.receive()
    assert used.close_code == 4401
    forged = await connect({"socket_url": "ws://h/ws/v1/chat?ticket=forged"}, "https://acme.example")
    with pytest.raises(ConnectionError):
        await forged.receive()
    assert forged.close_code == 4401
    fresh = (await sync_to_async(boot)(widget)).json()
    elsewhere = await connect(fresh, "https://evil.example")
    with pytest.raises(ConnectionError):
        await elsewhere.receive()
    assert elsewhere.close_code == 4403
    await visitor.leave()


async def test_a_widget_switched_off_closes_with_gone(widget, acme):
    booted = (await sync_to_async(boot)(widget)).json()
    await sync_to_async(_switch_off)(acme)
    gone = await connect(booted, "https://acme.example")
    with pytest.raises(ConnectionError):
        await gone.receive()
    assert gone.close_code == 4404


def _switch_off(tenant):
    with acting_as(tenant):
        Widget.objects.update(is_active=False)


async def test_a_bad_frame_is_refused_and_the_connection_lives(widget):
    visitor = await arrive(widget)
    await visitor.receive()
    for text in (
        "",
        "{",
        "[]",
        '{"type":"shout"}',
        '{"type":"message","id":"x","content":"y"}',
        "x" * 200_000,
    ):
        await visitor.send_text(text)
        assert (await visitor.receive())["type"] == "error"
    await visitor.send_bytes(b"\x00\xff")
    assert (await visitor.receive())["code"] == "bad_frame"
    await visitor.send(type="ping")
    assert await visitor.receive() == {"type": "pong"}
    await visitor.send(type="message", id=str(uuid.uuid4()), content="x" * 100_000)
    assert (await visitor.receive())["code"] == "too_long"
    frames = await visitor.ask("<script>alert(1)</script> How long is the warranty of the hub?")
    assert frames[-1]["message"]["status"] == "complete"
    await visitor.leave()


async def test_frames_in_a_flood_close_the_connection(widget):
    visitor = await arrive(widget)
    await visitor.receive()
    for _ in range(300):
        await visitor.send(type="ping")
    with pytest.raises(ConnectionError):
        for _ in range(301):
            await visitor.receive()
    assert visitor.close_code == 4429


async def test_messages_in_a_flood_are_slowed(widget, scripted):
    visitor = await arrive(widget)
    await visitor.receive()
    for _ in range(12):
        await visitor.send(type="message", id=str(uuid.uuid4()), content="again")
    codes = []
    for _ in range(60):
        frame = await visitor.receive()
        if frame["type"] == "error":
            codes.append(frame)
        if len(codes) == 2:
            break
    assert {frame["code"] for frame in codes} == {"too_fast"}
    assert codes[0]["retry_after"] > 0
    await settle()
    await visitor.leave()


async def test_two_first_messages_at_once_make_one_session(widget, acme):
    visitor = await arrive(widget)
    token = visitor.booted["visitor_token"]
    others = [visitor, *[await arrive(widget, token) for _ in range(3)]]
    for other in others:
        await other.receive()
        await other.send(type="message", id=str(uuid.uuid4()), content=QUESTION)
    acks = [(await other.until("ack"))[-1] for other in others]
    assert len({ack["session"] for ack in acks}) == 1
    await settle()
    sequence = sorted(m.seq for m in await rows(acme, Message))
    assert sequence == list(range(1, len(sequence) + 1))
    for other in others:
        await other.leave()


async def test_tenants_with_the_same_client_ids_never_meet(widget, acme, bolt):
    theirs = await sync_to_async(conversations.known_widget)(bolt)
    client_id = str(uuid.uuid4())
    ours_socket, theirs_socket = await arrive(widget), await arrive(theirs)
    await ours_socket.receive()
    await theirs_socket.receive()
    ours_frames, theirs_frames = await asyncio.gather(
        ours_socket.ask("How long is the warranty?", client_id),
        theirs_socket.ask("How long is the warranty?", client_id),
    )
    assert "two years" in ours_frames[-1]["message"]["content"]
    assert "nine months" in theirs_frames[-1]["message"]["content"]
    assert ours_frames[0]["session"] != theirs_frames[0]["session"]
    forged = await sync_to_async(boot)(theirs, ours_socket.booted["visitor_token"])
    assert forged.json()["session"] is None
    await ours_socket.leave()
    await theirs_socket.leave()
