"""WSGI in threads: whole responses in one piece, streams a bounded number of pieces ahead, threads let go of."""

import asyncio
import threading

import pytest

from config.in_threads import InThreads

SCOPE = {
    "type": "http", "method": "GET", "path": "/", "query_string": b"", "headers": [], "http_version": "1.1",
}  # fmt: skip


class Response:
    """What Django's handler returns: an iterable of pieces that is to be closed."""

    def __init__(self, *pieces: bytes, streaming: bool = False, fails: bool = False) -> None:
        self.pieces, self.streaming, self.fails = pieces, streaming, fails
        self.taken, self.closed_in = 0, ""

    def __iter__(self):
        for piece in self.pieces:
            self.taken += 1
            yield piece
        if self.fails:
            raise RuntimeError("in the middle")

    def close(self) -> None:
        self.closed_in = threading.current_thread().name


async def serve(response: Response, *, ahead: int = 4, send=None) -> list[dict]:
    sent: list[dict] = []

    async def keep(message) -> None:
        sent.append(message)

    async def receive() -> dict:
        return {"type": "http.request", "body": b"", "more_body": False}

    def application(environ, start_response):
        start_response("201 Created", [("Content-Type", "text/plain"), ("X-Thing", "é")])
        return response

    threads = InThreads(application, threads=2, ahead=ahead)
    try:
        await threads(dict(SCOPE), receive, send or keep)
    finally:
        threads._threads.shutdown()
    return sent


async def test_a_whole_response_comes_in_one_piece():
    response = Response(b"one", b"two")
    head, body = await serve(response)
    assert head == {
        "type": "http.response.start",
        "status": 201,
        "headers": [(b"content-type", b"text/plain"), (b"x-thing", b"\xe9")],
    }
    assert body == {"type": "http.response.body", "body": b"onetwo"}
    assert response.closed_in.startswith("http")


async def test_a_stream_comes_piece_by_piece():
    response = Response(b"one", b"two", streaming=True)
    head, *pieces = await serve(response)
    assert head["status"] == 201
    assert [(piece["body"], piece.get("more_body", False)) for piece in pieces] == [
        (b"one", True),
        (b"two", True),
        (b"", False),
    ]
    assert response.closed_in.startswith("http")


async def test_a_stream_is_only_so_far_ahead_of_a_slow_reader():
    response = Response(*[b"x"] * 50, streaming=True)
    reads = asyncio.Event()
    sent = []

    async def send(message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body":
            await reads.wait()

    work = asyncio.create_task(serve(response, ahead=4, send=send))
    await asyncio.sleep(0.1)
    assert 4 <= response.taken <= 6
    reads.set()
    await work
    assert len(sent) == 52


async def test_a_stream_that_fails_is_not_ended_as_if_it_were_whole():
    response = Response(b"one", streaming=True, fails=True)
    sent = []

    async def send(message) -> None:
        sent.append(message)

    with pytest.raises(RuntimeError, match="in the middle"):
        await serve(response, send=send)
    assert all(message.get("more_body", True) for message in sent)
    assert response.closed_in.startswith("http")


async def test_a_reader_who_is_gone_lets_the_thread_go():
    response = Response(*[b"x"] * 1000, streaming=True)

    async def send(message) -> None:
        if message["type"] == "http.response.body":
            raise OSError("the client has gone")

    with pytest.raises(OSError):
        await serve(response, send=send)
    assert response.taken < 20
    assert response.closed_in.startswith("http")
