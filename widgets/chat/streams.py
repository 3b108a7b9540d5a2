"""What leaves the process: the text of running answers, kept for resume, and a session's events for other processes.

Each running answer appends its text, some tens of milliseconds at a time, to a capped Redis stream and publishes the
same on its session's channel, in one round trip. A visitor's own socket does not wait for this: it is written to
directly (`hub`). Redis being away costs other tabs their live view and a crashed answer its text, never a message.
"""

import asyncio
import logging
import uuid
from collections.abc import Callable
from contextlib import suppress
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

_APPEND: Final = """
redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', 't', ARGV[1])
redis.call('EXPIRE', KEYS[1], ARGV[3])
return redis.call('PUBLISH', KEYS[2], ARGV[4])
"""

Handler = Callable[[dict[str, Any]], None]


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
        self._append = self._client.register_script(_APPEND)
        self._pubsub: redis.asyncio.client.PubSub | None = None
        self._handlers: dict[str, Handler] = {}
        self._reader: asyncio.Task[None] | None = None

    async def append(
        self, tenant: TenantRef, session_id: uuid.UUID, message_id: uuid.UUID, text: str, event: bytes
    ) -> None:
        """Keep `text` as the next piece of a running answer and publish `event`."""
        with _tolerated("append to a running answer"):
            await self._append(
                keys=[stream(tenant, message_id), channel(tenant, session_id)],
                args=[text, STREAM_ENTRIES, STREAM_SECONDS, event],
            )

    async def publish(self, tenant: TenantRef, session_id: uuid.UUID, event: bytes) -> None:
        """Tell the session's other processes."""
        with _tolerated("publish an event"):
            await self._client.publish(channel(tenant, session_id), event)

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
            handler = self._handlers.get(message["channel"].decode())
            if handler is not None:
                handler(orjson.loads(message["data"]))


def kept_text(tenant: TenantRef, message_id: uuid.UUID) -> str:
    """The kept text of an answer, for sync code (recovery). Raises redis.RedisError when Redis is away."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
    try:
        return joined(client.xrange(stream(tenant, message_id)))
    finally:
        client.close()


def announce(tenant: TenantRef, session_id: uuid.UUID, event: bytes) -> None:
    """Publish an event from sync code (a worker, the REST API). Redis being away is logged and survived."""
    client = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
    with _tolerated("publish an event"):
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
