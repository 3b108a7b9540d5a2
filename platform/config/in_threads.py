"""Django's WSGI side under ASGI: a request has a thread for as long as its answer is made.

A response that is whole when the view returns, as all but files are, comes back from its thread in one piece. a2wsgi's
own responder hops from the thread to the event loop and back for the head, each piece and the end, which was a third of
a list's CPU.
"""

import asyncio
import contextvars
import threading
from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

from a2wsgi.wsgi import Body, build_environ

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]


class Head(NamedTuple):
    """A response's status and headers, as ASGI has them."""

    status: int
    headers: list[tuple[bytes, bytes]]

    def message(self) -> Message:
        """What ASGI begins a response with."""
        return {"type": "http.response.start", "status": self.status, "headers": self.headers}


class InThreads:
    """`application` (WSGI) as an ASGI application, on at most `threads` threads.

    Of a response that streams, `ahead` pieces are held for a client that reads slowly, so that it holds no thread.
    """

    def __init__(self, application: Callable[..., Iterable[bytes]], *, threads: int, ahead: int) -> None:
        self._application = application
        self._ahead = ahead
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="http")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        loop = asyncio.get_running_loop()
        untyped_scope: Any = scope
        untyped_receive: Any = receive
        environ = build_environ(untyped_scope, Body(loop, untyped_receive))
        stream = Stream(loop, send, self._ahead)
        context = contextvars.copy_context()
        try:
            whole = await loop.run_in_executor(self._threads, context.run, self._answer, environ, stream)
        except BaseException:
            stream.abort()
            raise
        if whole is None:
            await stream.sent()
            return
        head, body = whole
        await send(head.message())
        await send({"type": "http.response.body", "body": body})

    def _answer(self, environ: Any, stream: "Stream") -> tuple[Head, bytes] | None:
        """The whole response; None where it went through `stream`."""
        heads: list[Head] = []

        def start_response(status: str, headers: list[tuple[str, str]], *_: Any) -> None:
            encoded = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
            heads.append(Head(int(status[:3]), encoded))

        response = self._application(environ, start_response)
        try:
            if not getattr(response, "streaming", False):
                return heads[-1], b"".join(response)
            stream.begin(heads[-1])
            for piece in response:
                stream.put(piece)
            stream.put(None)
            return None
        finally:
            # Also where nobody reads any more: Django lets go of its database connection here.
            getattr(response, "close", lambda: None)()


class Stream:
    """Pieces of a response on their way from a thread to the client."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send, ahead: int) -> None:
        self._loop, self._send = loop, send
        self._room = threading.Semaphore(ahead)
        self._pieces: asyncio.Queue[bytes | None] = asyncio.Queue()
        self._sender: asyncio.Task[None] | None = None
        self._aborted = False

    def begin(self, head: Head) -> None:
        """In the thread: the response streams."""
        self._loop.call_soon_threadsafe(self._begin, head)

    def put(self, piece: bytes | None) -> None:
        """In the thread: the next piece, None at the end; waits while the client is too far behind."""
        self._room.acquire()
        if self._aborted:
            raise ConnectionAbortedError("nobody reads this response any more")
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def sent(self) -> None:
        """Return once all is sent."""
        if self._sender is not None:
            await self._sender

    def abort(self) -> None:
        """Send no more, and let the thread go."""
        self._aborted = True
        self._room.release()
        if self._sender is not None:
            self._sender.cancel()

    def _begin(self, head: Head) -> None:
        if not self._aborted:
            self._sender = self._loop.create_task(self._send_pieces(head))

    async def _send_pieces(self, head: Head) -> None:
        try:
            await self._send(head.message())
            while (piece := await self._pieces.get()) is not None:
                self._room.release()
                await self._send({"type": "http.response.body", "body": piece, "more_body": True})
            await self._send({"type": "http.response.body", "body": b""})
        except BaseException:
            self._aborted = True
            self._room.release()
            raise
