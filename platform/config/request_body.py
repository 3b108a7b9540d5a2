"""Takes a request's body in whole before a thread is spent on it.

Behind a2wsgi alone a slow upload holds a worker thread, a client that leaves in the middle hands Django a short body
as if it were all of it, and a chunked body has no length and so reads as empty.
"""

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, MutableMapping
from typing import IO, Any

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

LARGEST_BODY = 12 * 1024 * 1024
"""Bytes; a document's content goes to 10 MB (product.md section 4), and JSON around and inside it takes some more."""
HELD_IN_MEMORY = 256 * 1024
IDLE_S = 15.0
"""Longest wait for the next piece."""
TOTAL_S = 120.0
"""Longest upload in all: LARGEST_BODY at 100 kB/s."""
DISCARDED = 4 * LARGEST_BODY
"""How much of a body that is too large is read and dropped, so that its sender gets to see the answer."""


class BodyRefused(Exception):
    """The body is not taken; `status`, `code` and `detail` are the answer's."""

    def __init__(self, status: int, code: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail


class ClientGone(Exception):
    """The client left before its body was complete: nothing is to be done and nobody is there to answer."""


async def whole_body(scope: Scope, receive: Receive) -> tuple[Scope, Receive]:
    """The request with its body complete: a scope with its true Content-Length, and a `receive` that replays it.

    Raises BodyRefused (400, 408, 413) and ClientGone.
    """
    headers = dict(scope["headers"])
    declared = headers.get(b"content-length")
    if declared is None and b"transfer-encoding" not in headers:
        return scope, receive
    if declared is not None and not (declared.isdigit() and len(declared) <= 18):
        raise BodyRefused(400, "invalid_request", "Content-Length must be a whole number.")
    if declared is not None and int(declared) > LARGEST_BODY:
        if int(declared) <= DISCARDED and b"expect" not in headers:
            await _discard(receive)
        raise _too_large()
    body = tempfile.SpooledTemporaryFile(max_size=HELD_IN_MEMORY)  # noqa: SIM115 - closed by the caller of receive
    try:
        length = await _spool(receive, body)
    except BaseException:
        body.close()
        raise
    if declared is not None and length != int(declared):
        body.close()
        raise BodyRefused(
            400, "invalid_request", f"The body has {length} bytes, Content-Length says {declared.decode()}."
        )
    kept = [
        (name, value)
        for name, value in scope["headers"]
        if name not in (b"content-length", b"transfer-encoding")
    ]
    complete = {**scope, "headers": [*kept, (b"content-length", str(length).encode())]}
    return complete, _replay(body, receive)


async def _spool(receive: Receive, body: IO[bytes]) -> int:
    length = 0
    too_late = asyncio.get_running_loop().time() + TOTAL_S
    while True:
        try:
            async with asyncio.timeout_at(min(too_late, asyncio.get_running_loop().time() + IDLE_S)):
                message = await receive()
        except TimeoutError:
            raise BodyRefused(408, "request_timeout", "The request's body did not arrive in time.") from None
        if message["type"] == "http.disconnect":
            raise ClientGone
        piece = message.get("body", b"")
        length += len(piece)
        if length > LARGEST_BODY:
            raise _too_large()
        # A write beyond HELD_IN_MEMORY goes to the page cache: microseconds for the pieces a socket delivers.
        body.write(piece)
        if not message.get("more_body", False):
            body.seek(0)
            return length


async def _discard(receive: Receive) -> None:
    try:
        async with asyncio.timeout(IDLE_S):
            dropped = 0
            while dropped <= DISCARDED:
                message = await receive()
                dropped += len(message.get("body", b""))
                if message["type"] == "http.disconnect" or not message.get("more_body", False):
                    return
    except TimeoutError:
        return


def _replay(body: IO[bytes], receive: Receive) -> Receive:
    done = False

    async def replay() -> Message:
        nonlocal done
        if done:
            return await receive()  # waits for the client to leave
        piece = body.read(1024 * 1024)
        done = len(piece) < 1024 * 1024
        if done:
            body.close()
        return {"type": "http.request", "body": piece, "more_body": not done}

    return replay


def _too_large() -> BodyRefused:
    return BodyRefused(413, "too_large", f"The body must be at most {LARGEST_BODY} bytes.")
