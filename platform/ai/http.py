"""Our one way to a provider over HTTP: a shared session per event loop, streamed events, and a guard for tests."""

import asyncio
import ipaddress
import os
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from weakref import WeakKeyDictionary

import aiohttp
import orjson
from yarl import URL

from ai import failures
from ai.configuration import Timeouts
from ai.sse import EventParser

CONNECT_TIMEOUT_S = 10.0
DRAIN_S = 0.1
MAX_ERROR_BODY = 64 * 1024
MAX_JSON_BODY = 64 * 1024 * 1024
GUARD = "FRONTDESK_LOOPBACK_ONLY"
TRANSPORT_ERRORS = (aiohttp.ClientError, OSError)

_sessions: WeakKeyDictionary[asyncio.AbstractEventLoop, aiohttp.ClientSession] = WeakKeyDictionary()


class ForbiddenHost(RuntimeError):
    """A call to a provider outside this machine while `loopback_only` is on: it could have cost money."""


def loopback_only(active: bool = True) -> None:
    """From now on, refuse every call to a host that is not this machine (or allow them again).

    Tests switch it on before anything else. It is kept in the environment, so that processes which a test starts
    inherit it and no test, of whatever kind, can spend money.
    """
    if active:
        os.environ[GUARD] = "1"
    else:
        os.environ.pop(GUARD, None)


def session() -> aiohttp.ClientSession:
    """The running loop's session. It keeps connections alive; `close` it before the loop ends."""
    loop = asyncio.get_running_loop()
    found = _sessions.get(loop)
    if found is None or found.closed:
        # No limit on connections here: budgets and rate limits decide who may ask. No proxy and no netrc from the
        # environment, so that the guard below sees where a call really goes.
        found = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0),
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_TIMEOUT_S),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,
        )
        _sessions[loop] = found
    return found


async def close() -> None:
    """Close the running loop's session, if it has one."""
    found = _sessions.pop(asyncio.get_running_loop(), None)
    if found is not None:
        await found.close()


class EventStream:
    """The events of one streamed answer."""

    __slots__ = (
        "_content",
        "_deadline",
        "_ended",
        "_loop",
        "_parser",
        "_provider",
        "_started",
        "_timeouts",
        "_total",
        "_waiting",
        "_watchdog",
    )

    def __init__(
        self, response: aiohttp.ClientResponse, provider: str, timeouts: Timeouts, asked_at: float
    ) -> None:
        self._content = response.content
        self._parser = EventParser()
        self._provider = provider
        self._timeouts = timeouts
        self._loop = asyncio.get_running_loop()
        self._total = asked_at + timeouts.total
        self._deadline = min(asked_at + timeouts.first_token, self._total)
        self._started = False
        self._ended = False
        self._waiting = False
        # One timer for the whole stream, which looks at the deadline when it fires: a time-out for each piece costs as
        # much as reading it.
        self._watchdog: asyncio.TimerHandle | None = None

    async def read(self) -> list[bytes]:
        """The data of the next events, as many as have arrived; an empty list at the end of the stream.

        Bytes that complete no event (comments sent to keep the connection) do not count as progress.
        Raises ProviderError: timeout, stalled, cut, bad_response.
        """
        while not self._ended:
            self._waiting = True
            if self._watchdog is None:
                self._watch()
            try:
                received = await self._content.readany()
            except TRANSPORT_ERRORS as error:
                raise failures.from_transport(self._provider, error, streaming=True) from error
            finally:
                self._waiting = False
            if received:
                try:
                    events = self._parser.feed(received)
                except OverflowError as error:
                    raise failures.bad_response(
                        self._provider, f"does not stream as it should: {error}"
                    ) from error
            else:
                self._ended = True
                events = self._parser.finish()
            if events:
                self._started = True
                self._deadline = min(self._loop.time() + self._timeouts.stall, self._total)
                return events
        return []

    def hasten(self, seconds: float) -> None:
        """Wait at most `seconds` for the next event: the answer is complete, only its accounts are missing."""
        self._deadline = min(self._loop.time() + seconds, self._total)
        self.close()

    def close(self) -> None:
        """Watch no longer."""
        if self._watchdog is not None:
            self._watchdog.cancel()
            self._watchdog = None

    def _watch(self) -> None:
        """Look again at the deadline, which each event moves; break off who still waits when it has passed."""
        if self._loop.time() < self._deadline:
            self._watchdog = self._loop.call_at(self._deadline, self._watch)
            return
        self._watchdog = None
        if self._waiting:
            self._content.set_exception(self._late())

    async def drain(self) -> None:
        """Wait a moment for the end of a stream whose last event was read, so that its connection is used again."""
        try:
            async with asyncio.timeout(DRAIN_S):
                while await self._content.readany():
                    pass
        except TRANSPORT_ERRORS:
            return  # TimeoutError included: the connection is given up instead

    def _late(self) -> Exception:
        if self._deadline >= self._total:
            return failures.timeout(self._provider, self._timeouts.total)
        if self._started:
            return failures.stalled(self._provider, self._timeouts.stall)
        return failures.timeout(self._provider, self._timeouts.first_token)


@asynccontextmanager
async def event_stream(
    url: str, *, provider: str, headers: Mapping[str, str], payload: object, timeouts: Timeouts
) -> AsyncIterator[EventStream]:
    """POST `payload` as JSON and yield the answer's events; leaving early hangs up. Raises ProviderError."""
    asked_at = asyncio.get_running_loop().time()
    wait = min(timeouts.first_token, timeouts.total)
    # Compressed event streams are held back by some servers and proxies until a block is full.
    headers = {"Accept": "text/event-stream", "Accept-Encoding": "identity", **headers}
    response = await _post(url, provider, headers, payload, deadline=asked_at + wait, wait=wait)
    try:
        if response.content_type in ("application/json", "text/html"):
            raise failures.bad_response(
                provider, f"answered with {response.content_type} instead of a stream"
            )
        events = EventStream(response, provider, timeouts, asked_at)
        try:
            yield events
        finally:
            events.close()
    finally:
        response.release()


async def post_json(
    url: str, *, provider: str, headers: Mapping[str, str], payload: object, timeout_s: float
) -> Any:
    """POST `payload` as JSON and return the JSON that comes back, within `timeout_s`. Raises ProviderError."""
    deadline = asyncio.get_running_loop().time() + timeout_s
    response = await _post(url, provider, headers, payload, deadline=deadline, wait=timeout_s)
    try:
        async with asyncio.timeout_at(deadline):
            body = await _read_body(response, MAX_JSON_BODY)
    except TimeoutError:
        raise failures.timeout(provider, timeout_s) from None
    except TRANSPORT_ERRORS as error:
        raise failures.from_transport(provider, error, streaming=True) from error
    finally:
        response.release()
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise failures.bad_response(provider, "answered with something that is not JSON") from error


async def _post(
    url: str, provider: str, headers: Mapping[str, str], payload: object, *, deadline: float, wait: float
) -> aiohttp.ClientResponse:
    target = URL(url)
    _refuse_strangers(target)
    try:
        async with asyncio.timeout_at(deadline):
            # Redirects are not followed: they would carry the key to another host.
            response = await session().post(
                target,
                data=orjson.dumps(payload),
                headers={"Content-Type": "application/json", **headers},
                allow_redirects=False,
            )
            if response.status == 200:
                return response
            try:
                body = await _read_body(response, MAX_ERROR_BODY)
            finally:
                response.release()
    except aiohttp.ClientError as error:
        # First, because its time-out for connecting is a TimeoutError too, and means that nobody is there.
        raise failures.from_transport(provider, error, streaming=False) from error
    except TimeoutError:
        raise failures.timeout(provider, wait) from None
    except OSError as error:
        raise failures.from_transport(provider, error, streaming=False) from error
    raise failures.from_status(provider, response.status, response.headers, body)


async def _read_body(response: aiohttp.ClientResponse, limit: int) -> bytes:
    pieces: list[bytes] = []
    size = 0
    while size <= limit and (piece := await response.content.readany()):
        pieces.append(piece)
        size += len(piece)
    return b"".join(pieces)


def _refuse_strangers(target: URL) -> None:
    if os.environ.get(GUARD) and not _is_loopback(target.host or ""):
        raise ForbiddenHost(f"calls to {target.host} are switched off: only this machine may be called")


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
