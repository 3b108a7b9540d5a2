"""Every request and socket has a name, a line and a count; nobody outside chooses the name."""

import re

import pytest

from config.access import Access
from kernel import measuring, observing

GIVEN = b"edge-7f3a:0001"


def http(path="/api/v1/documents/", method="GET", headers=(), client=("10.0.0.9", 1)):
    return {"type": "http", "method": method, "path": path, "headers": list(headers), "client": client}


async def call(application, scope, proxies=()):
    sent = []

    async def receive():
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message):
        sent.append(message)

    await Access(application, proxies)(scope, receive, send)
    return sent


def answering(status=200, **facts):
    async def application(scope, receive, send):
        observing.note(**facts)
        await send({"type": "http.response.start", "status": status, "headers": [(b"x", b"y")]})
        await send({"type": "http.response.body", "body": b"ok"})

    return application


def name_in(sent):
    return dict(sent[0]["headers"])[b"x-request-id"]


@pytest.mark.parametrize(
    ("given", "proxies", "is_taken"),
    [
        (GIVEN, ("10.0.0.0/8",), True),
        (GIVEN, ("192.168.0.0/16",), False),
        (GIVEN, (), False),
        (b"short", ("10.0.0.0/8",), False),
        (b"with blanks in it", ("10.0.0.0/8",), False),
        (b'x" onload="alert(1)', ("10.0.0.0/8",), False),
        (b"x" * 129, ("10.0.0.0/8",), False),
        (b"line\nbreak-in-it", ("10.0.0.0/8",), False),
    ],
)
async def test_only_a_sane_name_of_a_trusted_proxy_is_taken(given, proxies, is_taken):
    sent = await call(answering(), http(headers=[(b"x-request-id", given)]), proxies)
    assert (name_in(sent) == given) is is_taken
    assert is_taken or re.fullmatch(rb"[0-9a-f]{32}", name_in(sent))
    assert dict(sent[0]["headers"])[b"x"] == b"y"


async def test_the_proxys_client_is_believed_and_its_peer_is_not_confused_with_it():
    headers = [(b"x-forwarded-for", b"10.0.0.1, 203.0.113.7"), (b"x-request-id", GIVEN)]
    scope = http(headers=headers)
    await call(answering(), scope, ("10.0.0.9",))
    assert scope["client"][0] == "203.0.113.7"
    # Whoever pretends in a header to be a trusted address is not trusted.
    pretending = http(headers=[(b"x-forwarded-for", b"10.0.0.9"), *headers], client=("203.0.113.66", 1))
    sent = await call(answering(), pretending, ("10.0.0.9",))
    assert name_in(sent) != GIVEN


async def test_a_request_is_counted_by_its_pattern_and_has_one_line(caplog):
    caplog.set_level("INFO", "config.access")
    route = "api/v1/documents/<uuid:id>/"
    scope = http("/api/v1/documents/01a1fcb4-29a7-7ea6-bcfe-8cf50c5d23e8/", "DELETE")
    before = count("/" + route, "DELETE", "204")
    sent = await call(answering(204, route=route, tenant_id="t"), scope)
    assert count("/" + route, "DELETE", "204") == before + 1
    (record,) = caplog.records
    assert record.getMessage() == f"DELETE {scope['path']} 204"
    assert (record.route, record.status, record.client) == ("/" + route, 204, "10.0.0.9")
    assert record.duration_ms >= 0
    assert name_in(sent)


@pytest.mark.parametrize("path", ["/wp-admin.php", "/static/x.css"])
async def test_addresses_that_nobody_made_are_one_series(path, caplog):
    expected = "/static/" if path.startswith("/static/") else "(none)"
    before = count(expected, "GET", "404")
    await call(answering(404), http(path))
    assert count(expected, "GET", "404") == before + 1


async def test_a_method_that_is_none_is_one_series():
    before = count("(none)", "OTHER", "405")
    await call(answering(405), http("/x", "BREW"))
    assert count("(none)", "OTHER", "405") == before + 1


async def test_probes_are_counted_and_not_written(caplog):
    caplog.set_level("INFO", "config.access")
    await call(answering(route="readyz"), http("/readyz"))
    assert caplog.records == []
    assert count("/readyz", "GET", "200") >= 1


async def test_a_failure_and_a_client_that_left_are_told_apart(caplog):
    caplog.set_level("INFO", "config.access")

    async def fail(scope, receive, send):
        raise RuntimeError

    async def leave(scope, receive, send):
        return None

    with pytest.raises(RuntimeError):
        await call(fail, http("/x"))
    await call(leave, http("/x"))
    assert [record.status for record in caplog.records] == [500, 499]


async def test_a_socket_is_open_until_it_is_closed_and_its_query_is_never_written(caplog):
    caplog.set_level("INFO", "config.access")
    seen = []

    async def application(scope, receive, send):
        seen.append(measuring.SOCKETS._value.get())
        observing.note(close_code=4401)

    scope = {
        "type": "websocket", "path": "/ws/v1/chat", "query_string": b"ticket=s3cr3t", "headers": [],
        "client": ("10.0.0.9", 1),
    }  # fmt: skip
    before = measuring.SOCKETS._value.get()
    await call(application, scope)
    assert seen == [before + 1]
    assert measuring.SOCKETS._value.get() == before
    (record,) = caplog.records
    assert (record.getMessage(), record.code) == ("socket closed", 4401)
    assert "s3cr3t" not in str(record.__dict__)


def count(route, method, status):
    return measuring.HTTP_REQUESTS.labels(route, method, status)._value.get()
