"""The door of the web process: what goes to threads, what to the event loop, what no further."""

import asyncio
import json

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import asgi, lifespan


class Handler:
    """Stands for Django behind the door: keeps the scope and the body it was given."""

    def __init__(self) -> None:
        self.scope = None
        self.body = b""

    async def __call__(self, scope, receive, send) -> None:
        self.scope = scope
        if scope["type"] == "http":
            self.body = (await receive()).get("body", b"")
            await send({"type": "http.response.start", "status": 200, "headers": []})
            await send({"type": "http.response.body", "body": b"ok"})


@pytest.fixture(autouse=True)
def watched(monkeypatch):
    """What the process says of itself as it begins and ends, which a test's process must not say."""
    said = []
    monkeypatch.setattr(lifespan.observing, "begin", said.append)
    monkeypatch.setattr(lifespan.operating, "end", lambda: said.append("end"))
    return said


@pytest.fixture
def handlers(monkeypatch):
    found = {name: Handler() for name in ("_blocking", "_streaming", "_sockets")}
    for name, handler in found.items():
        monkeypatch.setattr(asgi, name, handler)
    return found


def http(path: str = "/", method: str = "GET", headers=(), query: bytes = b"") -> dict:
    return {"type": "http", "method": method, "path": path, "headers": list(headers), "query_string": query}


async def call(scope, *messages) -> list[dict]:
    received = list(messages) or [{"type": "http.request", "body": b"", "more_body": False}]
    sent: list[dict] = []

    async def receive() -> dict:
        return received.pop(0)

    async def send(message) -> None:
        sent.append(message)

    await asgi.application(scope, receive, send)
    return sent


@pytest.mark.parametrize(
    ("path", "handler"),
    [
        ("/", "_blocking"),
        ("/api/v1/documents/", "_blocking"),
        ("/widget/v1/boot", "_blocking"),
        ("/api/v1/answers/", "_streaming"),
        ("/widget/v1/messages", "_streaming"),
    ],
)
async def test_only_what_may_stream_costs_the_event_loop(handlers, path, handler):
    await call(http(path))
    assert [name for name, called in handlers.items() if called.scope] == [handler]


async def test_a_header_cannot_pass_for_one_that_a_proxy_guards(handlers):
    headers = [(b"host", b"h"), (b"x_forwarded_for", b"10.0.0.1"), (b"x-real", b"1")]
    await call(http(headers=headers))
    assert handlers["_blocking"].scope["headers"] == [(b"host", b"h"), (b"x-real", b"1")]
    await call({"type": "websocket", "path": "/ws", "headers": headers, "query_string": b""})
    assert handlers["_sockets"].scope["headers"] == [(b"host", b"h"), (b"x-real", b"1")]


@pytest.mark.parametrize(
    ("query", "passed"),
    [
        (b"q=caf%C3%A9&x=a+b", b"q=caf%C3%A9&x=a+b"),
        (b"q=caf\xc3\xa9", b"q=caf%C3%A9"),
        (b"q=%zz&r=\xff", b"q=%zz&r=%FF"),
    ],
)
async def test_a_query_reaches_django_as_ascii(handlers, query, passed):
    await call(http(query=query))
    assert handlers["_blocking"].scope["query_string"] == passed


async def test_a_body_arrives_whole(handlers):
    pieces = [
        {"type": "http.request", "body": b"ab", "more_body": True},
        {"type": "http.request", "body": b"c", "more_body": False},
    ]
    await call(http(method="POST", headers=[(b"transfer-encoding", b"chunked")]), *pieces)
    assert handlers["_blocking"].body == b"abc"
    assert (b"content-length", b"3") in handlers["_blocking"].scope["headers"]


async def test_a_client_that_left_gets_no_answer_and_django_no_request(handlers):
    half = {"type": "http.request", "body": b"half", "more_body": True}
    sent = await call(
        http(method="POST", headers=[(b"content-length", b"9")]), half, {"type": "http.disconnect"}
    )
    assert sent == []
    assert not any(handler.scope for handler in handlers.values())


@pytest.mark.parametrize(("path", "cors"), [("/api/v1/documents/", False), ("/widget/v1/boot", True)])
async def test_a_refusal_is_problem_json_that_the_widgets_page_may_read(handlers, path, cors):
    start, body = await call(http(path, "POST", [(b"content-length", b"99999999999")]))
    headers = dict(start["headers"])
    assert start["status"] == 413
    assert headers[b"content-type"] == b"application/problem+json"
    assert headers[b"connection"] == b"close"
    assert (headers.get(b"access-control-allow-origin") == b"*") is cors
    problem = json.loads(body["body"])
    assert (problem["status"], problem["code"], problem["errors"]) == (413, "too_large", [])
    assert "at most 12582912 bytes" in problem["detail"]
    assert not any(handler.scope for handler in handlers.values())


async def test_an_unknown_socket_is_closed():
    scope = {"type": "websocket", "path": "/ws/nowhere", "headers": [], "query_string": b""}
    assert await call(scope, {"type": "websocket.connect"}) == [{"type": "websocket.close", "code": 4404}]


async def test_the_web_process_starts_and_drains(monkeypatch, watched):
    drained = []

    async def finish() -> None:
        drained.append(1)

    async def fail() -> None:
        raise RuntimeError("one answer could not be stored")

    monkeypatch.setattr(lifespan, "_drains", [])
    monkeypatch.setattr(lifespan, "refuse_if_unsafe", lambda: None)
    lifespan.on_shutdown(fail)
    lifespan.on_shutdown(finish)
    sent = await call({"type": "lifespan"}, {"type": "lifespan.startup"}, {"type": "lifespan.shutdown"})
    assert [message["type"] for message in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    assert drained == [1]
    assert watched == ["web", "end"]


async def test_the_web_process_does_not_start_as_an_unsafe_role(monkeypatch, caplog):
    def refuse() -> None:
        raise ImproperlyConfigured("role frontdesk_app is a superuser")

    monkeypatch.setattr(lifespan, "refuse_if_unsafe", refuse)
    sent = await call({"type": "lifespan"}, {"type": "lifespan.startup"})
    assert [message["type"] for message in sent] == ["lifespan.startup.failed"]
    assert "role frontdesk_app is a superuser" in caplog.text


async def test_a_drain_that_hangs_is_left_behind(monkeypatch, caplog):
    monkeypatch.setattr(lifespan, "_drains", [lambda: asyncio.sleep(60)])
    monkeypatch.setattr(lifespan, "DRAIN_S", 0.05)
    await lifespan.drain()
    assert "with work still running" in caplog.text
