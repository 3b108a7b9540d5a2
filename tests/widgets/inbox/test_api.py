"""sessions/ and their messages/ as programs use them."""

import asyncio
import json
import uuid
from datetime import timedelta

import pytest
from asgiref.sync import sync_to_async
from django.test import AsyncClient
from django.utils import timezone

from ai.chat.scripted import Script, scripting
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.creating import create_user
from tests import cast, conversations
from tests.tenants.callers import caller, code_of, every, wrong_fields
from tests.widgets.chat.visitors import arrive, settle
from widgets.models import Message, Session, Visitor

QUESTION = "How long is the warranty of the hub?"


@pytest.fixture
def as_acme(client, acme):
    return caller(client, acme)


@pytest.fixture
def ada(acme):
    with acting_as(acme):
        return create_user("ada@acme.example", "a long password 1", name="Ada")


@pytest.fixture
def theirs(bolt):
    session = conversations.session(bolt)
    with acting_as(bolt):
        Message.objects.create(session=session, seq=1, role="user", content="bolt's secret")
    return session


class TestOpening:
    def test_a_conversation_for_a_user_of_ones_own(self, as_acme, acme, theirs):
        widget = conversations.widget(acme)
        visitor = {
            "external_id": "u-1",
            "name": "Eva",
            "email": "Eva@X.example",
            "attributes": {"plan": "pro"},
        }
        made = as_acme(
            "POST", "sessions/", {"widget": str(widget.pk), "visitor": visitor, "metadata": {"page": "/x"}}
        )
        assert made.status_code == 201, made.content
        session = made.json()
        assert (session["status"], session["last_seq"], session["metadata"]) == ("ai", 0, {"page": "/x"})
        again = as_acme("POST", "sessions/", {"widget": str(widget.pk), "visitor": {"external_id": "u-1"}})
        assert (again.status_code, again.json()["id"]) == (200, session["id"])
        elsewhere = as_acme("POST", "sessions/", {"visitor": {"external_id": "u-1"}})
        assert (elsewhere.status_code, elsewhere.json()["widget"]) == (201, None)
        assert (
            as_acme("POST", "sessions/", {"visitor": {"external_id": "u-1"}}).json()["id"]
            == elsewhere.json()["id"]
        )
        assert as_acme("POST", "sessions/", {}).status_code == 201
        assert (
            as_acme("POST", "sessions/", {}).json()["visitor"]
            != as_acme("POST", "sessions/", {}).json()["visitor"]
        )
        with acting_as(acme):
            eva = Visitor.objects.get(pk=session["visitor"])
            assert (eva.name, eva.email, eva.verified) == ("Eva", "eva@x.example", True)
        assert as_acme("GET", f"sessions/{session['id']}/").json()["id"] == session["id"]

    def test_after_a_day_a_new_one_begins(self, as_acme, acme):
        first = as_acme("POST", "sessions/", {"visitor": {"external_id": "u-1"}}).json()["id"]
        with acting_as(acme):
            Session.objects.update(last_message_at=timezone.now() - timedelta(days=2))
        assert as_acme("POST", "sessions/", {"visitor": {"external_id": "u-1"}}).status_code == 201
        assert as_acme("GET", f"sessions/{first}/").json()["status"] == "ended"

    @pytest.mark.parametrize(
        ("body", "field"),
        [({"widget": "x"}, "widget"), ({"visitor": "u-1"}, "visitor"),
         ({"visitor": {"external_id": 5}}, "visitor.external_id"),
         ({"visitor": {"email": "x"}}, "visitor.email"), ({"visitor": {"age": 5}}, "visitor.age"),
         ({"metadata": []}, "metadata"),
         ({"status": "human"}, "status")],
    )  # fmt: skip
    def test_a_wrong_field_is_named(self, as_acme, body, field):
        assert wrong_fields(as_acme("POST", "sessions/", body)) == {field}

    def test_another_tenants_widget_is_none(self, as_acme, theirs):
        assert wrong_fields(as_acme("POST", "sessions/", {"widget": str(theirs.widget_id)})) == {"widget"}


class TestLists:
    def test_filters(self, as_acme, acme, ada, theirs):
        first, second = conversations.session(acme), conversations.session(acme, status="ended")
        with acting_as(acme):
            Session.objects.filter(pk=first.pk).update(
                created_at=timezone.now() - timedelta(days=3), assignee=ada, mode="meeting"
            )
        day = (timezone.now() - timedelta(days=1)).isoformat()
        for query, expected in {
            f"widget={first.widget_id}": first, f"visitor={second.visitor_id}": second, f"assignee={ada.pk}": first,
            "status=ended": second, "mode=meeting": first, f"created_after={day}": second,
            f"created_before={day}": first,
        }.items():  # fmt: skip
            assert [row["id"] for row in every(as_acme, f"sessions/?{query}")] == [str(expected.pk)], query
        assert every(as_acme, f"sessions/?widget={theirs.widget_id}") == []
        assert len(every(as_acme, "sessions/", 1)) == 2
        refused = as_acme("GET", "sessions/?widget=1&status=open&mode=x&created_after=monday&assignee=me")
        assert wrong_fields(refused) == {"widget", "status", "mode", "created_after", "assignee"}


class TestPeople:
    def test_what_people_do(self, as_acme, acme, ada, theirs):
        path = f"sessions/{conversations.session(acme).pk}/"
        member = {"member": str(ada.pk)}
        assert as_acme("POST", path + "assign", member).json()["assignee"] == str(ada.pk)
        taken = as_acme("POST", path + "takeover", member)
        assert (taken.status_code, taken.json()["status"]) == (200, "human")
        said = as_acme("POST", path + "messages/", {"role": "assistant", "content": "I am Ada.", **member})
        assert said.status_code == 201, said.content
        assert (said.json()["author"], said.json()["answer"]) == ({"name": "Ada", "avatar_url": None}, None)
        assert as_acme("GET", f"{path}messages/{said.json()['id']}/").json()["content"] == "I am Ada."
        changed = as_acme("PATCH", path, {"tags": ["refund", "vip", "refund"], "outcome": "solved"}).json()
        assert (changed["tags"], changed["outcome"]) == (["refund", "vip"], "solved")
        assert as_acme("POST", path + "release").json()["assignee"] is None
        assert as_acme("POST", path + "end").json()["status"] == "ended"
        for deed, body in (("end", None), ("release", None), ("assign", member), ("takeover", member)):
            assert code_of(as_acme("POST", path + deed, body), 409) == "session_ended"
        ended = as_acme("POST", path + "messages/", {"content": "Hello?"})
        assert code_of(ended, 409) == "session_ended"
        events = [row["event"] for row in every(as_acme, path + "messages/")]
        assert events == ["ended", "released", None, "taken_over", "assigned"]

    def test_who_acts_must_be_of_the_team(self, as_acme, acme, bolt, theirs):
        with acting_as(bolt):
            stranger = create_user("bob@bolt.example", "a long password 1")
        path = f"sessions/{conversations.session(acme).pk}/"
        foreign = {"member": str(stranger.pk)}
        assert wrong_fields(as_acme("POST", path + "takeover", {})) == {"member"}
        for deed in ("takeover", "assign"):
            assert wrong_fields(as_acme("POST", path + deed, foreign)) == {"member"}
        assert wrong_fields(as_acme("POST", path + "assign", {})) == {"member"}
        said = {"role": "assistant", "content": "x"}
        assert wrong_fields(as_acme("POST", path + "messages/", {**said, **foreign})) == {"member"}
        assert wrong_fields(as_acme("POST", path + "messages/", {**said, "stream": True})) == {"stream"}
        assert wrong_fields(as_acme("POST", path + "messages/", {"content": "x", **foreign})) == {"member"}

    def test_a_person_who_is_signed_in_acts_themselves(self, client, acme, ada):
        session = conversations.session(acme)
        client.post("/admin/login/", {"username": "ada@acme.example", "password": "a long password 1"})
        taken = client.post(f"/api/v1/sessions/{session.pk}/takeover", {}, content_type="application/json")
        assert (taken.status_code, taken.json()["assignee"]) == (200, str(ada.pk))

    def test_another_tenants_conversation_is_not_there(self, as_acme, theirs, ada, bolt):
        path, member = f"sessions/{theirs.pk}/", {"member": str(ada.pk)}
        for verb, rest, body in (
            ("GET", "", None), ("PATCH", "", {"tags": []}), ("POST", "takeover", member), ("POST", "assign", member),
            ("POST", "release", None), ("POST", "end", None), ("GET", "messages/", None),
            ("POST", "messages/", {"content": "x"}), ("POST", "messages/", {"content": "x", "stream": True}),
            ("POST", "messages/", {"content": "x", "role": "assistant", **member}),
            ("GET", f"messages/{uuid7()}/", None),
        ):  # fmt: skip
            assert code_of(as_acme(verb, path + rest, body), 404) == "not_found", (verb, rest)
        with acting_as(bolt):
            assert Message.objects.count() == 1

    @pytest.mark.parametrize(
        ("body", "field"),
        [({}, "content"), ({"content": ""}, "content"), ({"content": "x" * 8001}, "content"),
         ({"content": 5}, "content"),
         ({"content": "x", "role": "system"}, "role"), ({"content": "x", "id": "1"}, "id"),
         ({"content": "x", "stream": "yes"}, "stream"),
         ({"content": " \n"}, "content"), ({"content": "x", "attachments": []}, "attachments")],
    )  # fmt: skip
    def test_what_is_no_message(self, as_acme, acme, body, field):
        path = f"sessions/{conversations.session(acme).pk}/messages/"
        assert wrong_fields(as_acme("POST", path, body)) == {field}


@pytest.mark.django_db(transaction=True)
class TestTalking:
    @pytest.fixture
    def post(self, acme, bolt, redis):
        conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
        conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
        headers = {"Authorization": f"Bearer {cast.api_key(acme)}"}

        async def post(path, body):
            programs = AsyncClient()
            return await programs.post(
                f"/api/v1/{path}", body, content_type="application/json", headers=headers
            )

        return post

    async def test_a_question_is_answered_and_a_resend_says_nothing_new(self, post, acme):
        made = await post("sessions/", {})
        assert made.status_code == 201, made.content
        session = made.json()
        path, own = f"sessions/{session['id']}/messages/", str(uuid.uuid4())
        said = await post(path, {"content": QUESTION, "id": own})
        assert said.status_code == 201, said.content
        body = said.json()
        assert (body["role"], body["seq"], body["client_id"]) == ("user", 1, own)
        assert (body["answer"]["role"], body["answer"]["seq"]) == ("assistant", 2)
        assert "two years" in body["answer"]["content"]
        assert "nine months" not in body["answer"]["content"]
        assert body["answer"]["citations"]
        assert "costUsd" in body["answer"]["metadata"]
        again = await post(path, {"content": QUESTION, "id": own})
        assert again.json() == body

        def count():
            with acting_as(acme):
                return Message.objects.count()

        assert await sync_to_async(count)() == 2

    async def test_the_answer_streams_as_the_sockets_frames(self, post):
        session = (await post("sessions/", {})).json()
        own = str(uuid.uuid4())
        path = f"sessions/{session['id']}/messages/"
        response = await post(path, {"content": QUESTION, "id": own, "stream": True})
        assert (response.status_code, response["Content-Type"]) == (201, "text/event-stream")
        text = b"".join([piece async for piece in response.streaming_content]).decode()
        frames = [json.loads(block.partition("data: ")[2]) for block in text.strip().split("\n\n")]
        kinds = [frame["type"] for frame in frames]
        assert kinds[:2] == ["ack", "start"]
        assert set(kinds[2:-1]) == {"delta"}
        message = frames[-1]["message"]
        assert "".join(frame["text"] for frame in frames[2:-1]) == message["content"]
        assert (frames[0]["id"], message["seq"]) == (own, 2)
        again = await post(path, {"content": QUESTION, "id": own, "stream": True})
        kinds = [line async for line in again.streaming_content]
        assert [piece.split(b"\n")[0] for piece in kinds] == [b"event: ack", b"event: message"]
        await settle()

    async def test_who_hangs_up_still_gets_an_answer(self, post, settings, acme):
        settings.LLM_MODEL = "scripted:chat"
        session = (await post("sessions/", {})).json()
        with scripting("chat", Script(deltas=("a", "b", "c"), delay=0.05, provider="offline", model="test")):
            response = await post(
                f"sessions/{session['id']}/messages/", {"content": QUESTION, "stream": True}
            )
            events = aiter(response.streaming_content)
            await anext(events)
            await events.aclose()
            await settle()

        def said():
            with acting_as(acme):
                return list(Message.objects.order_by("seq").values_list("role", flat=True))

        assert await sync_to_async(said)() == ["user", "assistant"]

    async def test_a_person_is_not_answered_over(self, post, acme):
        def person():
            with acting_as(acme):
                return str(create_user("ada@acme.example", "a long password 1", name="Ada").pk)

        member = await sync_to_async(person)()
        session = (await post("sessions/", {})).json()
        await post(f"sessions/{session['id']}/takeover", {"member": member})
        said = await post(f"sessions/{session['id']}/messages/", {"content": QUESTION})
        assert (said.status_code, said.json()["answer"]) == (201, None)

    async def test_two_questions_at_once_are_numbered_and_answered_once_each(self, post, acme):
        session = (await post("sessions/", {})).json()
        path = f"sessions/{session['id']}/messages/"
        both = await asyncio.gather(*(post(path, {"content": QUESTION}) for _ in range(2)))
        await settle()
        assert [response.status_code for response in both] == [201, 201]

        def seqs():
            with acting_as(acme):
                return list(Message.objects.order_by("seq").values_list("seq", flat=True))

        numbers = await sync_to_async(seqs)()
        assert numbers == list(range(1, len(numbers) + 1))

    async def test_the_visitors_own_widget_hears_what_a_program_says(self, post, acme):
        widget = await sync_to_async(conversations.known_widget)(acme)
        visitor = await arrive(widget)
        await visitor.receive()
        session = (await visitor.ask(QUESTION))[0]["session"]
        said = (await post(f"sessions/{session}/messages/", {"content": "And of the lamp?"})).json()
        frames = await visitor.until("message")
        assert frames[-1]["message"]["id"] == said["id"]
        await settle()
        await visitor.leave()
