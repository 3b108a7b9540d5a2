"""What leaves the process: the text of running answers, kept for resume, and a session's events for other processes.

Each running answer appends its text to a capped Redis stream and publishes the same on its session's channel. What all
answers of a process have to say goes out together, some tens of milliseconds at a time, in one pipeline: a command in
it costs a tenth of one sent alone. A visitor's own socket does not wait for this: it is written to directly (`hub`).
Redis being away costs other tabs their live view and a crashed answer its text, never a message.
"""

import asyncio
import logging
import os
import socket
import uuid
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final
from weakref import WeakKeyDictionary

import orjson
import redis
import redis.asyncio
from django.conf import settings

from tenants.context import TenantRef

logger = logging.getLogger(__name__)

STREAM_ENTRIES: Final = 2_000
STREAM_SECONDS: Final = 3_600
RECONNECT_S: Final = 0.5
# How long what is said gathers before it is sent: short enough to look live in another tab.
GATHERED_S: Final = 0.05
# What every event of this process begins with, so that it knows its own when they come back.
PROCESS: Final = f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex[:6]}"
OWN: Final = f"{PROCESS} ".encode()
ANYBODY: Final = b"- "

Handler = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, slots=True)
class Outgoing:
    """An event to be published and, where it is text of an answer, kept in that answer's stream."""

    channel: str
    event: bytes
    stream: str | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Deed:
    """A script to be run, whose answer nobody waits for; `then` is called once it has been, or Redis was away."""

    script: str
    keys: Sequence[str]
    values: Sequence[str | int]
    then: Callable[[], None]


def channel(tenant: TenantRef, session_id: uuid.UUID) -> str:
    """Where a session's events are published; the tenant is part of every key."""
    return f"fd:{tenant.id}:session:{session_id}"


def stream(tenant: TenantRef, message_id: uuid.UUID) -> str:
    """Where a running answer's text is kept."""
    return f"fd:{tenant.id}:answer:{message_id}"


class Bus:
    """One process's connections to Redis: a client for commands and one subscription for all its sessions."""

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(settings.REDIS_URL, max_connections=200, socket_timeout=5)
        self._pubsub: redis.asyncio.client.PubSub | None = None
        self._handlers: dict[str, Handler] = {}
        self._reader: asyncio.Task[None] | None = None
        self._outgoing: list[Outgoing] = []
        self._deeds: list[Deed] = []
        self._sender: asyncio.Task[None] | None = None

    def append(
        self, tenant: TenantRef, session_id: uuid.UUID, message_id: uuid.UUID, text: str, event: bytes
    ) -> None:
        """Keep `text` as the next piece of a running answer and publish `event`, soon and in the order of the calls."""
        self._send_soon(Outgoing(channel(tenant, session_id), event, stream(tenant, message_id), text))

    def publish(self, tenant: TenantRef, session_id: uuid.UUID, event: bytes) -> None:
        """Tell the session's other processes, soon and in the order of the calls."""
        self._send_soon(Outgoing(channel(tenant, session_id), event))

    def run(self, deed: Deed) -> None:
        """Run a script, soon; lost where Redis is away."""
        self._deeds.append(deed)
        self._begin_sending()

    async def flush(self) -> None:
        """Return once everything asked for so far has been sent."""
        while self._sender is not None:
            await asyncio.shield(self._sender)

    def _send_soon(self, outgoing: "Outgoing") -> None:
        self._outgoing.append(outgoing)
        self._begin_sending()

    def _begin_sending(self) -> None:
        if self._sender is None:
            self._sender = asyncio.create_task(self._send())

    async def _send(self) -> None:
        """Send what has gathered until nothing has. Only one such task runs, so that nothing overtakes."""
        try:
            while self._outgoing or self._deeds:
                await asyncio.sleep(GATHERED_S)
                batch, self._outgoing = self._outgoing, []
                deeds, self._deeds = self._deeds, []
                with _tolerated("tell other processes"):
                    await self._pipeline(batch, deeds).execute()
                for deed in deeds:
                    deed.then()
        finally:
            self._sender = None

    def _pipeline(self, batch: "list[Outgoing]", deeds: "list[Deed]") -> Any:
        pipeline = self._client.pipeline(transaction=False)
        for deed in deeds:
            pipeline.eval(deed.script, len(deed.keys), *deed.keys, *deed.values)
        kept: dict[str, list[str]] = {}
        for outgoing in batch:
            if outgoing.stream is not None:
                kept.setdefault(outgoing.stream, []).append(outgoing.text)
        # The text first: who hears of a piece and then resumes finds it.
        for name, pieces in kept.items():
            pipeline.xadd(name, {"t": "".join(pieces)}, maxlen=STREAM_ENTRIES, approximate=True)
            pipeline.expire(name, STREAM_SECONDS)
        for outgoing in batch:
            pipeline.publish(outgoing.channel, outgoing.event)
        return pipeline

    async def text_so_far(self, tenant: TenantRef, message_id: uuid.UUID) -> str:
        """The kept text of a running answer, as far as its process has told."""
        with _tolerated("read a running answer"):
            return joined(await self._client.xrange(stream(tenant, message_id)))
        return ""

    async def subscribe(self, name: str, handler: Handler) -> None:
        """Call `handler` with every event of a channel from when this returns on; one handler a channel."""
        self._handlers[name] = handler
        with _tolerated("subscribe"):
            if self._pubsub is None:
                self._pubsub = self._client.pubsub(ignore_subscribe_messages=True)
                await self._pubsub.subscribe(name)
                self._reader = asyncio.create_task(self._read())
            else:
                await self._pubsub.subscribe(name)

    async def unsubscribe(self, name: str) -> None:
        """Stop hearing of a channel."""
        self._handlers.pop(name, None)
        if self._pubsub is not None:
            with _tolerated("unsubscribe"):
                await self._pubsub.unsubscribe(name)

    async def close(self) -> None:
        """Let go of Redis."""
        await self.flush()
        if self._reader is not None:
            self._reader.cancel()
        if self._pubsub is not None:
            with suppress(redis.RedisError):
                await self._pubsub.aclose()  # type: ignore[no-untyped-call]  # untyped in redis-py
        await self._client.aclose()

    async def _read(self) -> None:
        assert self._pubsub is not None
        while True:
            try:
                # Blocks without a timeout of its own; redis-py resubscribes by itself when it reconnects.
                message = await self._pubsub.get_message(timeout=None)
            except (redis.RedisError, OSError):
                await asyncio.sleep(RECONNECT_S)
                continue
            if message is None or message["type"] != "message":
                continue
            # Our own events come back to us too; they are told by their beginning, without being read.
            handler = (
                None if message["data"].startswith(OWN) else self._handlers.get(message["channel"].decode())
            )
            if handler is not None:
                handler(orjson.loads(message["data"].partition(b" ")[2]))


def kept_text(tenant: TenantRef, message_id: uuid.UUID) -> str:
    """The kept text of an answer, for sync code (recovery). Raises redis.RedisError when Redis is away."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
    try:
        return joined(client.xrange(stream(tenant, message_id)))
    finally:
        client.close()


def announce(tenant: TenantRef, session_id: uuid.UUID, *events: bytes) -> None:
    """Publish events, in order, from sync code (a worker, the REST API). Redis being away is logged and survived."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
    with _tolerated("publish an event"):
        for event in events:
            client.publish(channel(tenant, session_id), event)
    client.close()


def joined(entries: Any) -> str:
    """The text of a stream's entries."""
    return "".join(fields[b"t"].decode() for _, fields in entries)


class _tolerated:
    """Redis being away is logged and survived."""

    def __init__(self, deed: str) -> None:
        self.deed = deed

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> bool:
        if isinstance(error, redis.RedisError | OSError):
            logger.warning("Redis: could not %s: %s", self.deed, error)
            return True
        return False


_buses: WeakKeyDictionary[asyncio.AbstractEventLoop, Bus] = WeakKeyDictionary()


def bus() -> Bus:
    """The running loop's Bus."""
    loop = asyncio.get_running_loop()
    if loop not in _buses:
        _buses[loop] = Bus()
    return _buses[loop]
