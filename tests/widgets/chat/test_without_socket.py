"""Chat over HTTP, for networks that let no socket through: the same frames, the same promises."""

import asyncio
import json
import time
import uuid

import jwt
import pytest
from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator

from ai.chat.scripted import Script, scripting
from kernel.encryption import encrypt
from tenants.context import acting_as
from tests import conversations
from tests.widgets.chat.visitors import arrive, boot, settle
from widgets.chat import exchanging, limits
from widgets.chat.hub import hub
from widgets.models import Feedback, Message, Session, Visitor, Widget

pytestmark = pytest.mark.django_db(transaction=True)

QUESTION = "How long is the warranty of the hub?"
ORIGIN = "https://acme.example"
SECRET = "an identity secret that is long enough for HS256"
PATIENCE_S = 10
SOME_ID = b"01970000-0000-7000-8000-00000000000a"


@pytest.fixture
def widget(acme, bolt, redis):
    conversations.teach(bolt, "Warranty", "The warranty of a Bolt scooter is nine months.")
    conversations.teach(acme, "Warranty", "# Warranty\n\nThe warranty of the hub is two years.")
    return conversations.known_widget(acme)


@pytest.fixture
def scripted(settings):
    settings.LLM_MODEL = "scripted:chat"
    script = Script(
        deltas=tuple(f"word{n} " for n in range(20)), provider="offline", model="test", delay=0.05
    )
    with scripting("chat", script):
        yield script


class Request:
    """One request through the ASGI application, read as it comes."""

    def __init__(self, communicator, start):
        self.communicator = communicator
        self.status = start["status"]
        self.headers = {name.decode().lower(): value.decode() for name, value in start["headers"]}
        self.body, self.is_over = b"", False

    @classmethod
    async def send(cls, method, token, body=b"", query="", **headers):
        from config.asgi import application

        given = {"origin": ORIGIN, "authorization": f"Bearer {token}", "content-length": str(len(body))}
        scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "path": "/widget/v1/messages",
            "query_string": query.encode(),
            "headers": [(k.encode(), v.encode()) for k, v in {**given, **headers}.items() if v is not None],
            "client": ("203.0.113.7", 1),
            "server": ("127.0.0.1", 80),
        }
        communicator = ApplicationCommunicator(application, scope)
        await communicator.send_input({"type": "http.request", "body": body})
        return cls(communicator, await communicator.receive_output(PATIENCE_S))

    async def more(self):
        piece = await self.communicator.receive_output(PATIENCE_S)
        self.body += piece.get("body", b"")
        self.is_over = not piece.get("more_body", False)

    async def all(self):
        while not self.is_over:
            await self.more()
        await self.communicator.wait(PATIENCE_S)
        return self

    @property
    def frames(self):
        events = self.body.decode().split("\n\n")
        return [json.loads(event[6:]) for event in events if event.startswith("data: ")]

    async def hang_up(self):
        await self.communicator.send_input({"type": "http.disconnect"})
        await self.communicator.wait(PATIENCE_S)


async def arrived(widget, **body):
    return (await sync_to_async(boot)(widget, **body)).json()["visitor_token"]


async def say(token, content=QUESTION, id=None, **frame):
    body = json.dumps({"id": id or str(uuid.uuid4()), "content": content, **frame}).encode()
    return await Request.send("POST", token, body)


async def send(token, **frame):
    return await (await Request.send("POST", token, json.dumps(frame).encode())).all()


async def poll(token, after=0, **headers):
    answer = await (await Request.send("GET", token, query=f"after={after}", **headers)).all()
    return answer.status, json.loads(answer.body)


def stored(tenant, model, *columns):
    with acting_as(tenant):
        return list(model.objects.order_by("id").values_list(*columns))


async def rows(tenant, model, *columns):
    return await sync_to_async(stored)(tenant, model, *columns)


class TestAsking:
    async def test_the_frames_are_those_of_the_socket(self, widget, acme, bolt):
        token, client_id = await arrived(widget), str(uuid.uuid4())
        answer = await (await say(token, id=client_id)).all()
        assert (answer.status, answer.headers["content-type"]) == (200, "text/event-stream")
        assert answer.headers["access-control-allow-origin"] == ORIGIN
        kinds = [frame["type"] for frame in answer.frames]
        assert kinds[:2] == ["ack", "start"]
        assert set(kinds[2:-1]) == {"delta"}
        assert kinds[-1] == "message"
        ack, message = answer.frames[0], answer.frames[-1]["message"]
        assert (ack["id"], ack["seq"], message["seq"]) == (client_id, 1, 2)
        assert "".join(f["text"] for f in answer.frames[2:-1]) == message["content"]
        assert "two years" in message["content"]
        assert await rows(bolt, Message, "id") == []
        ((_, _, metadata),) = await rows(acme, Session, "id", "status", "metadata")
        assert metadata == {"userAgent": "", "ip": "203.0.113.7", "page": ORIGIN}
        _, history = await poll(token)
        assert [m["id"] for m in history["messages"]] == [ack["message_id"], message["id"]]
        assert history["session"] == {"id": ack["session"], "status": "ai", "last_seq": 2}

    async def test_a_resend_gets_the_same_acknowledgement(self, widget, acme):
        token, client_id = await arrived(widget), str(uuid.uuid4())
        first = await (await say(token, id=client_id)).all()
        again = await (await say(token, id=client_id)).all()
        assert again.frames == [first.frames[0]]
        assert len(await rows(acme, Message, "id")) == 2

    async def test_who_hangs_up_is_answered_all_the_same(self, widget, acme, scripted):
        token = await arrived(widget)
        answer = await say(token)
        while not any(frame["type"] == "delta" for frame in answer.frames):
            await answer.more()
        await answer.hang_up()
        _, history = await poll(token)
        assert history["partial"]["text"].startswith("word0 ")
        await settle()
        _, history = await poll(token, after=1)
        assert [(m["seq"], m["content"]) for m in history["messages"]] == [(2, "".join(scripted.deltas))]
        assert hub()._rooms == {}, "nobody is left watching"

    async def test_who_hangs_up_before_the_answer_begins_loses_nothing(self, widget, acme, scripted):
        token, client_id = await arrived(widget), str(uuid.uuid4())
        answer = await say(token, id=client_id)
        await answer.hang_up()
        await settle()
        assert sorted(await rows(acme, Message, "seq", "role", "status")) == [
            (1, "user", "complete"),
            (2, "assistant", "complete"),
        ]
        again = await (await say(token, id=client_id)).all()
        assert [frame["type"] for frame in again.frames] == ["ack"]
        assert hub()._rooms == {}

    async def test_a_resend_amid_the_answer_hears_the_rest(self, widget, scripted):
        token, client_id = await arrived(widget), str(uuid.uuid4())
        first = await say(token, id=client_id)
        while not any(frame["type"] == "delta" for frame in first.frames):
            await first.more()
        await first.hang_up()
        rest = await (await say(token, id=client_id)).all()
        assert first.frames[0] in rest.frames
        assert rest.frames[-1]["message"]["content"] == "".join(scripted.deltas)

    async def test_a_question_amid_another_answer_waits_for_its_own(self, widget, scripted):
        token = await arrived(widget)
        first = await say(token)
        while not any(frame["type"] == "start" for frame in first.frames):
            await first.more()
        second = await (await say(token, "And the battery of the hub?")).all()
        answers = [f["message"]["seq"] for f in second.frames if f["type"] == "message"]
        assert answers == [3, 4]
        await first.all()

    async def test_a_socket_sees_what_is_said_over_http(self, widget):
        visitor = await arrive(widget)
        await visitor.receive()
        await visitor.ask(QUESTION)
        answer = await (await say(visitor.booted["visitor_token"])).all()
        seen = await visitor.until("message")
        assert (seen[0]["message"]["role"], seen[0]["message"]["seq"]) == ("user", 3)
        seen = await visitor.until("message")
        assert seen[-1] == answer.frames[-1]
        await visitor.leave()

    async def test_a_long_silence_is_filled(self, widget, scripted, monkeypatch):
        monkeypatch.setattr(exchanging, "HEARTBEAT_S", 0.05)
        scripted.delay = 0.3
        scripted.deltas = ("slow ", "answer")
        answer = await (await say(await arrived(widget))).all()
        assert answer.body.count(b":\n\n") >= 2
        assert answer.frames[-1]["message"]["content"] == "slow answer"


class TestOtherFrames:
    async def test_each_does_what_it_does_on_a_socket(self, widget, acme):
        token = await arrived(widget)
        message = (await (await say(token)).all()).frames[-1]["message"]
        assert (await send(token, type="feedback", message_id=message["id"], rating=1)).frames == []
        assert (await send(token, type="read", seq=2)).frames == []
        assert (await send(token, type="typing")).frames == []
        assert (await send(token, type="ping")).frames == [{"type": "pong"}]
        resumed = (await send(token, type="resume", after=1)).frames
        assert [m["metadata"]["feedback"]["rating"] for m in resumed[0]["messages"]] == [1]
        await send(token, type="handoff")
        assert await rows(acme, Session, "read_seq", "status") == [(2, "waiting")]
        # A person is to answer: the stream of a question ends with its acknowledgement.
        assert [f["type"] for f in (await (await say(token)).all()).frames] == ["ack"]
        ended = (await send(token, type="end")).frames
        assert [frame["type"] for frame in ended] == ["message", "status"]
        assert await rows(acme, Feedback, "rating") == [(1,)]

    async def test_stop_breaks_off_the_answer(self, widget, scripted):
        token = await arrived(widget)
        answer = await say(token)
        while not any(frame["type"] == "delta" for frame in answer.frames):
            await answer.more()
        await send(token, type="stop")
        assert (await answer.all()).frames[-1]["message"]["status"] == "interrupted"

    @pytest.mark.parametrize(
        ("body", "code"),
        [
            (b"", "bad_frame"),
            (b"[]", "bad_frame"),
            (b"\xff", "bad_frame"),
            (b'{"type": "shout"}', "bad_frame"),
            (b'{"content": "no id"}', "bad_frame"),
            (b'{"id": "%s", "content": "%s"}' % (SOME_ID, b"x" * 9000), "too_long"),
            (
                b'{"type":"feedback","rating":1,"message_id":"%s"}' % SOME_ID,
                "not_found",
            ),
        ],
    )
    async def test_what_is_wrong_is_an_error_frame(self, widget, acme, body, code):
        answer = await (await Request.send("POST", await arrived(widget), body)).all()
        assert answer.status == 200
        assert [frame["code"] for frame in answer.frames] == [code]
        assert await rows(acme, Message, "id") == []

    async def test_anothers_answer_cannot_be_rated(self, widget, acme, bolt):
        theirs = await sync_to_async(conversations.known_widget)(bolt)
        bolts = await arrived(theirs)
        from_bolt = await (
            await Request.send(
                "POST",
                bolts,
                json.dumps({"id": str(uuid.uuid4()), "content": "How long is the warranty?"}).encode(),
                origin="https://bolt.example",
            )
        ).all()
        answer = from_bolt.frames[-1]["message"]["id"]
        refused = await send(await arrived(widget), type="feedback", message_id=answer, rating=-1)
        assert [frame["code"] for frame in refused.frames] == ["not_found"]
        assert await rows(bolt, Feedback, "id") == []
        assert await rows(acme, Feedback, "id") == []


class TestWhoIsLetIn:
    async def refused(self, token, **headers):
        asked = await (
            await Request.send("POST", token, b'{"id":"%s","content":"x"}' % SOME_ID, **headers)
        ).all()
        status, polled = await poll(token, **headers)
        assert (asked.status, json.loads(asked.body)["code"]) == (status, polled["code"])
        assert asked.headers["content-type"] == "application/problem+json"
        assert asked.headers["access-control-allow-origin"]
        return status, polled["code"]

    async def test_a_token_is_needed(self, widget, acme):
        token = await arrived(widget)
        for wrong in ("", "forged:token", token[:-3]):
            assert await self.refused(wrong) == (401, "token_invalid")
        assert await self.refused(token, authorization=None) == (401, "token_invalid")
        assert await rows(acme, Visitor, "id") == []

    @pytest.mark.parametrize("origin", ["https://evil.example", "null", "", None, "https://bolt.example"])
    async def test_a_foreign_page_is_refused(self, widget, acme, origin):
        assert await self.refused(await arrived(widget), origin=origin) == (403, "origin_not_allowed")
        assert await rows(acme, Visitor, "id") == []

    async def test_our_own_page_need_not_say_where_it_is(self, widget):
        token = await arrived(widget)
        status, _ = await poll(token, origin=None, **{"sec-fetch-site": "same-origin"})
        assert status == 200
        status, _ = await poll(token, origin=None, **{"sec-fetch-site": "cross-site"})
        assert status == 403

    async def test_a_widget_switched_off_is_not_there(self, widget, acme):
        token = await arrived(widget)
        await sync_to_async(self.change)(acme, is_active=False)
        assert await self.refused(token) == (404, "widget_not_found")

    @staticmethod
    def change(tenant, **columns):
        with acting_as(tenant):
            Widget.objects.update(**columns)

    async def test_one_tenants_token_finds_nothing_of_anothers(self, widget, bolt):
        mine, theirs = await arrived(widget), await sync_to_async(conversations.known_widget)(bolt)
        await (await say(mine)).all()
        status, found = await poll(await arrived(theirs), origin="https://bolt.example")
        assert (status, found["messages"], found["session"]) == (200, [], None)

    async def test_requests_in_a_flood_have_to_wait(self, widget, monkeypatch):
        monkeypatch.setattr(limits, "FRAMES_AT_ONCE", 3)
        monkeypatch.setattr(limits, "FRAMES_PER_S", 0.01)
        token = await arrived(widget)
        statuses = [(await poll(token))[0] for _ in range(5)]
        assert statuses[:3] == [200, 200, 200]
        assert statuses[-1] == 429
        late = await (await Request.send("GET", token, query="after=0")).all()
        assert int(late.headers["retry-after"]) >= 1

    async def test_messages_in_a_flood_are_slowed_request_after_request(self, widget, monkeypatch):
        monkeypatch.setattr(limits, "MESSAGES_AT_ONCE", 2)
        monkeypatch.setattr(limits, "MESSAGES_PER_S", 0.01)
        token = await arrived(widget)
        answers = [await (await say(token)).all() for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert json.loads(answers[-1].body)["code"] == "too_fast"
        assert int(answers[-1].headers["retry-after"]) > 0
        assert answers[-1].headers["ratelimit-policy"] == '"messages";q=2;w=200'

    @pytest.mark.parametrize("after", ["-1", "x", "1.5", "", "99999999999", "٣"])
    async def test_a_wrong_seq_is_named(self, widget, after):
        from urllib.parse import quote

        answer = await (await Request.send("GET", await arrived(widget), query=f"after={quote(after)}")).all()
        assert answer.status == 400
        assert json.loads(answer.body)["errors"][0]["field"] == "after"

    async def test_a_preflight_is_answered(self, widget):
        answer = await (await Request.send("OPTIONS", "", authorization=None)).all()
        assert answer.status == 204
        assert answer.headers["access-control-allow-methods"] == "GET, POST"
        assert "authorization" in answer.headers["access-control-allow-headers"]


class TestIdentity:
    @pytest.fixture
    def identified(self, widget, acme):
        with acting_as(acme):
            Widget.objects.filter(pk=widget.pk).update(identity_secret=encrypt(SECRET))
        claims = {"sub": "42", "exp": time.time() + 60, "aud": widget.public_key, "name": "Ada"}
        return jwt.encode(claims, SECRET, "HS256")

    async def test_who_proved_it_at_boot_is_known(self, widget, acme, identified):
        token = await arrived(widget, identity=identified)
        await (await say(token)).all()
        assert await rows(acme, Visitor, "external_id", "name", "verified") == [("42", "Ada", True)]
        elsewhere = await arrived(widget, identity=identified)
        assert len((await poll(elsewhere))[1]["messages"]) == 2

    async def test_it_has_to_be_proved_again_in_time(self, widget, acme, identified, redis):
        token = await arrived(widget, identity=identified)
        redis.flushdb()
        status, problem = await poll(token)
        assert (status, problem["code"]) == (401, "token_invalid")

    async def test_a_widget_for_signed_in_visitors_takes_no_other(self, widget, acme, identified):
        anonymous = await arrived(widget)
        await sync_to_async(TestWhoIsLetIn.change)(acme, require_identity=True)
        status, problem = await poll(anonymous)
        assert (status, problem["code"]) == (401, "identity_invalid")
        assert (await poll(await arrived(widget, identity=identified)))[0] == 200


async def test_two_first_questions_at_once_make_one_session(widget, acme):
    token = await arrived(widget)
    both = await asyncio.gather(*[say(token) for _ in range(3)])
    for answer in both:
        await answer.all()
    assert len(await rows(acme, Session, "id")) == 1
    assert sorted(seq for (seq,) in await rows(acme, Message, "seq")) == list(
        range(1, len(await rows(acme, Message, "seq")) + 1)
    )
