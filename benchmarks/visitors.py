"""Visitors as a load: each boots by HTTP, connects with its ticket, and checks every frame it gets.

The checks are the promise of product.md section 3: ack, start, one or more deltas, message, in that order; the deltas
joined are the message; seq has no gap; everything belongs to the visitor's own question.
"""

import asyncio
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

import aiohttp
import orjson

ANSWER_WITHIN_S: Final = 30.0
BOOTS_AT_ONCE: Final = 16


class Broken(Exception):
    """A promise of the protocol was not kept: a frame lost, foreign, doubled or out of order, or an error frame."""


@dataclass(frozen=True, slots=True)
class Exchange:
    """One question and its answer as the visitor had it; seconds since the question was sent."""

    question: str
    answer: str
    message_id: str
    first_s: float
    whole_s: float


class Asks(Protocol):
    """Whoever can be driven by `drive`."""

    async def ask(self, question: str) -> Exchange: ...


@dataclass(slots=True)
class Load:
    """What driving visitors came to."""

    exchanges: list[Exchange] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.exchanges) / self.seconds if self.seconds else 0.0

    def first_ms(self, share: float = 0.5) -> float:
        """Milliseconds to the first token, at this quantile."""
        return quantile([exchange.first_s for exchange in self.exchanges], share) * 1000

    def slowest_s(self) -> float:
        """The longest that anybody waited for a whole answer."""
        return max((exchange.whole_s for exchange in self.exchanges), default=0.0)


@dataclass(slots=True)
class Visitor:
    """A visitor of Frontdesk with one socket."""

    socket: aiohttp.ClientWebSocketResponse
    token: str
    session: str | None = None
    seq: int = 0
    exchanges: list[Exchange] = field(default_factory=list)

    async def ask(self, question: str) -> Exchange:
        """Ask and wait for the whole answer. Raises Broken, or TimeoutError after 30 seconds."""
        client_id = str(uuid.uuid4())
        asked_at = time.perf_counter()
        await send(self.socket, {"type": "message", "id": client_id, "content": question})
        async with asyncio.timeout(ANSWER_WITHIN_S):
            await self._acknowledged(client_id)
            exchange = await self._answered(question, asked_at)
        self.exchanges.append(exchange)
        return exchange

    async def frame(self) -> dict[str, Any]:
        """The next frame. Raises Broken where the server closes instead."""
        return await next_frame(self.socket)

    async def _acknowledged(self, client_id: str) -> None:
        ack = _expect(await self.frame(), "ack", id=client_id, seq=self.seq + 1)
        if self.session not in (None, ack["session"]):
            raise Broken(f"another session: {ack}")
        self.session, self.seq = ack["session"], ack["seq"]

    async def _answered(self, question: str, asked_at: float) -> Exchange:
        message_id = _expect(await self.frame(), "start")["message_id"]
        pieces, length, first = [], 0, 0.0
        while (frame := await self.frame())["type"] == "delta":
            first = first or time.perf_counter()
            _expect(frame, "delta", message_id=message_id, offset=length)
            pieces.append(frame["text"])
            length += len(frame["text"])
        text = "".join(pieces)
        message = _expect(frame, "message")["message"]
        own = {
            "id": message_id,
            "session": self.session,
            "seq": self.seq + 1,
            "content": text,
            "role": "assistant",
        }
        if not pieces or any(message[name] != value for name, value in own.items()):
            raise Broken(f"not the answer that was streamed: {str(message)[:300]}")
        self.seq = message["seq"]
        return Exchange(question, text, message_id, first - asked_at, time.perf_counter() - asked_at)


class Website:
    """The page that shows a tenant's widget: where visitors come from."""

    def __init__(self, http: aiohttp.ClientSession, url: str, widget_key: str, origin: str) -> None:
        self._http, self._url, self._widget_key = http, url, widget_key
        self._headers = {"Origin": origin}

    async def boot(self, token: str | None = None) -> dict[str, Any]:
        """The response to a boot. Raises aiohttp.ClientResponseError where it is refused."""
        body = {"widget": self._widget_key, "visitor_token": token, "identity": None}
        async with self._http.post(
            f"{self._url}/widget/v1/boot", json=body, headers=self._headers
        ) as response:
            response.raise_for_status()
            booted: dict[str, Any] = orjson.loads(await response.read())
            return booted

    async def arrive(self, token: str | None = None) -> Visitor:
        """A visitor who is connected and has read `ready`."""
        booted = await self.boot(token)
        socket = await self._http.ws_connect(booted["socket_url"], headers=self._headers, max_msg_size=0)
        visitor = Visitor(socket, booted["visitor_token"])
        ready = _expect(await visitor.frame(), "ready")
        visitor.session = ready["session"]["id"] if ready["session"] else None
        visitor.seq = ready["last_seq"]
        return visitor

    async def crowd(self, count: int) -> list[Visitor]:
        """So many visitors, connected."""
        return await gather_some([self.arrive for _ in range(count)], BOOTS_AT_ONCE)


def client_session() -> aiohttp.ClientSession:
    """An HTTP client without a limit on connections.

    No browser opens a socket on a connection that has carried HTTP, and aiohttp would: each request has its own here.
    """
    connector = aiohttp.TCPConnector(limit=0, force_close=True)
    return aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())


async def drive(
    visitors: Sequence[Asks], question: Callable[[], str], *, seconds: float = 0.0, each: int = 1
) -> Load:
    """Let all visitors ask one question after the other, for `seconds` or, where that is 0, `each` questions each.

    What breaks is counted and ends that visitor's part.
    """
    load = Load()
    began = time.perf_counter()

    async def talk(visitor: Asks) -> None:
        asked = 0
        while time.perf_counter() - began < seconds if seconds else asked < each:
            asked += 1
            try:
                load.exchanges.append(await visitor.ask(question()))
            except (Broken, TimeoutError, aiohttp.ClientError, ConnectionError) as problem:
                load.failures.append(f"{type(problem).__name__}: {problem}")
                return

    await asyncio.gather(*(talk(visitor) for visitor in visitors))
    load.seconds = time.perf_counter() - began
    return load


async def send(socket: aiohttp.ClientWebSocketResponse, frame: dict[str, Any]) -> None:
    """Send one frame."""
    await socket.send_str(orjson.dumps(frame).decode())


async def next_frame(socket: aiohttp.ClientWebSocketResponse) -> dict[str, Any]:
    """The next frame of a socket. Raises Broken where it is closed."""
    received = await socket.receive()
    if received.type is not aiohttp.WSMsgType.TEXT:
        raise Broken(
            f"the socket was closed: {received.type.name}, code {socket.close_code}, {socket.exception()!r}"
        )
    frame: dict[str, Any] = orjson.loads(received.data)
    return frame


async def gather_some(calls: Sequence[Callable[[], Awaitable[Any]]], at_once: int) -> list[Any]:
    """The results of all calls, at most `at_once` of them running together."""
    gate = asyncio.Semaphore(at_once)

    async def one(call: Callable[[], Awaitable[Any]]) -> Any:
        async with gate:
            return await call()

    return await asyncio.gather(*(one(call) for call in calls))


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which `share` of them lie; 0 where there are none."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))] if ordered else 0.0


def _expect(frame: dict[str, Any], kind: str, **values: object) -> dict[str, Any]:
    if frame["type"] != kind or any(frame[name] != value for name, value in values.items()):
        raise Broken(f"expected {kind} {values or ''}, got {str(frame)[:300]}")
    return frame
