"""A program says something as a visitor and hears the answer: whole, or as the socket's frames while it is made."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import orjson

from tenants.context import TenantRef
from widgets.chat.answering import answer
from widgets.chat.asking import Asked
from widgets.chat.hub import Outbox, Watcher, hub
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import ServerFrame
from widgets.chat.replying import Replied


async def hear_answer(tenant: TenantRef, widget_id: uuid.UUID | None, asked: Asked) -> None:
    """Return once what was said has its answer, or at once where it gets none now. The answer is made by a task of its
    own: a caller who hangs up does not end it."""
    _tell_others(tenant, asked)
    if asked.run is not None:
        await asyncio.shield(_begin(tenant, widget_id, asked))


async def answer_frames(
    tenant: TenantRef,
    widget_id: uuid.UUID | None,
    asked: Asked,
    client_id: uuid.UUID,
    earlier: MessageObject | None,
) -> AsyncIterator[bytes]:
    """What a socket would be sent, as server-sent events: ack, and, where the AI answers, start, deltas, message.

    `earlier` is the answer that a resend had the first time. The answer has begun when this returns, so it is made also
    for a caller who never reads it.
    """
    frames = _Frames()
    watcher = Watcher(frames, asked.seq)
    key = (tenant, asked.session_id)
    await hub().watch(key, watcher)
    _tell_others(tenant, asked, but=watcher)
    acknowledgement: ServerFrame = {
        "type": "ack",
        "id": str(client_id),
        "message_id": str(asked.message_id),
        "seq": asked.seq,
        "session": str(asked.session_id),
    }
    frames.push(orjson.dumps(acknowledgement).decode())
    if asked.run is not None:
        _begin(tenant, widget_id, asked).add_done_callback(lambda _: frames.finish())
    else:
        if earlier is not None:
            frames.push(orjson.dumps({"type": "message", "message": earlier}).decode())
        frames.finish()
    return _events(frames, key, watcher)


async def _events(
    frames: "_Frames", key: tuple[TenantRef, uuid.UUID], watcher: Watcher
) -> AsyncIterator[bytes]:
    try:
        while (text := await frames.queue.get()) is not None:
            kind = orjson.loads(text)["type"]
            yield f"event: {kind}\ndata: {text}\n\n".encode()
    finally:
        await hub().leave(key, watcher)


def _begin(tenant: TenantRef, widget_id: uuid.UUID | None, asked: Asked) -> "asyncio.Task[Replied]":
    assert asked.run is not None
    hub().begin((tenant, asked.session_id), asked.run.message_id)
    return hub().spawn(answer(tenant, widget_id, asked.run))


def _tell_others(tenant: TenantRef, asked: Asked, but: Watcher | None = None) -> None:
    if asked.message is not None:
        hub().tell((tenant, asked.session_id), {"type": "message", "message": asked.message}, but=but)


class _Frames(Outbox):
    """Frames that wait for the response to take them."""

    __slots__ = ("queue",)

    def __init__(self) -> None:
        self.queue: asyncio.Queue[str | None] = asyncio.Queue()

    def push(self, text: str) -> None:
        self.queue.put_nowait(text)

    def finish(self) -> None:
        """There is no more to come."""
        self.queue.put_nowait(None)

    def close(self) -> None:
        self.finish()
