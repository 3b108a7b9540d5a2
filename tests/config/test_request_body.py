"""A body reaches Django complete or not at all."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from config import request_body
from config.request_body import BodyRefused, ClientGone, whole_body


def scope(*headers: tuple[bytes, bytes]) -> dict:
    return {"type": "http", "method": "POST", "path": "/", "headers": list(headers)}


def receiving(*pieces: bytes, complete: bool = True):
    """A server's `receive`: these pieces, then the client leaves."""
    messages = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if complete:
        messages[-1]["more_body"] = False
    messages.append({"type": "http.disconnect"})

    async def receive() -> dict:
        return messages.pop(0)

    return receive


async def read(receive) -> bytes:
    body = b""
    while True:
        message = await receive()
        body += message["body"]
        if not message["more_body"]:
            return body


@given(st.lists(st.binary(max_size=300_000), min_size=1, max_size=6), st.booleans())
async def test_what_was_sent_is_what_is_read(pieces, chunked):
    sent = b"".join(pieces)
    header = (b"transfer-encoding", b"chunked") if chunked else (b"content-length", str(len(sent)).encode())
    complete, receive = await whole_body(scope((b"host", b"h"), header), receiving(*pieces))
    assert await read(receive) == sent
    assert complete["headers"] == [(b"host", b"h"), (b"content-length", str(len(sent)).encode())]
    assert (await receive())["type"] == "http.disconnect"


async def test_a_request_without_a_body_passes_untouched():
    bare, receive = scope((b"host", b"h")), receiving(b"")
    assert await whole_body(bare, receive) == (bare, receive)


async def test_a_client_that_leaves_in_the_middle_is_no_request():
    with pytest.raises(ClientGone):
        await whole_body(scope((b"content-length", b"9")), receiving(b"half", complete=False))


@pytest.mark.parametrize("declared", [b"-1", b"1e3", b"", b"9" * 19, b"\xb2"])
async def test_a_length_that_is_no_number_is_refused(declared):
    with pytest.raises(BodyRefused) as refused:
        await whole_body(scope((b"content-length", declared)), receiving(b"x"))
    assert (refused.value.status, refused.value.code) == (400, "invalid_request")


async def test_a_length_that_is_not_true_is_refused():
    with pytest.raises(BodyRefused) as refused:
        await whole_body(scope((b"content-length", b"5")), receiving(b"four"))
    assert refused.value.status == 400
    assert "The body has 4 bytes, Content-Length says 5." in refused.value.detail


@pytest.mark.parametrize("chunked", [True, False])
async def test_too_large_a_body_is_refused_whether_or_not_it_says_so(monkeypatch, chunked):
    monkeypatch.setattr(request_body, "LARGEST_BODY", 10)
    header = (b"transfer-encoding", b"chunked") if chunked else (b"content-length", b"12")
    with pytest.raises(BodyRefused) as refused:
        await whole_body(scope(header), receiving(b"123456", b"789012"))
    assert (refused.value.status, refused.value.code) == (413, "too_large")
    assert "at most 10 bytes" in refused.value.detail


async def test_a_client_that_asks_first_is_told_before_it_sends():
    async def receive() -> dict:
        raise AssertionError("reading would tell the client to send")

    length = str(request_body.LARGEST_BODY + 1).encode()
    with pytest.raises(BodyRefused, match="at most"):
        await whole_body(scope((b"content-length", length), (b"expect", b"100-continue")), receive)


@pytest.mark.parametrize(("idle", "total"), [(0.05, 60.0), (60.0, 0.05)])
async def test_a_slow_upload_ends_with_408(monkeypatch, idle, total):
    monkeypatch.setattr(request_body, "IDLE_S", idle)
    monkeypatch.setattr(request_body, "TOTAL_S", total)

    async def receive() -> dict:
        await asyncio.sleep(1 if idle < 1 else 0.02)
        return {"type": "http.request", "body": b"x", "more_body": True}

    with pytest.raises(BodyRefused) as refused:
        await whole_body(scope((b"content-length", b"1000000")), receive)
    assert (refused.value.status, refused.value.code) == (408, "request_timeout")
