"""Which sockets of this process watch which session, and the answers being made here.

A frame goes straight to this process's own sockets and, through `streams`, to those of other processes; an event that
comes back to the process that sent it is dropped by its origin.
"""

import asyncio
import uuid
from collections import deque
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, Final, TypeVar
from weakref import WeakKeyDictionary

import orjson

from tenants.context import TenantRef
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import ServerFrame, encode
from widgets.chat.streams import ANYBODY, OWN, bus, channel

T = TypeVar("T")

LONGEST_BACKLOG: Final = 2_000

Key = tuple[TenantRef, uuid.UUID]


class Outbox:
    """A socket's frames, written in order by a task that lives only while there is something to write.

    A visitor whose lid is closed blocks nobody: frames wait here, and when too many do the socket is dropped; the
    visitor comes back and resumes.
    """

    __slots__ = ("_closing", "_drop", "_frames", "_send", "_writer")

    def __init__(self, send: Callable[[str], Awaitable[None]], drop: Callable[[], Awaitable[None]]) -> None:
        self._send, self._drop = send, drop
        self._frames: deque[str] = deque()
        self._writer: asyncio.Task[None] | None = None
        self._closing = False

    def push(self, text: str) -> None:
        """Send `text` as soon as what came before it is sent."""
        if self._closing:
            return
        self._frames.append(text)
        if len(self._frames) > LONGEST_BACKLOG:
            self.close()
            self._writer = asyncio.create_task(self._drop_quietly())
        elif self._writer is None:
            self._writer = asyncio.create_task(self._write())

    def close(self) -> None:
        """Write nothing more."""
        self._closing = True
        self._frames.clear()

    async def _write(self) -> None:
        try:
            while self._frames:
                await self._send(self._frames.popleft())
        except Exception:
            self.close()
        finally:
            self._writer = None

    async def _drop_quietly(self) -> None:
        with suppress(Exception):  # it has gone already, which is what we wanted
            await self._drop()


class Watcher:
    """A socket that watches a session: what it was sent last, so that nothing reaches it twice or out of order."""

    __slots__ = ("outbox", "paused", "seq")

    def __init__(self, outbox: Outbox, seq: int) -> None:
        self.outbox, self.seq = outbox, seq
        # While history is being read, live frames wait: (seq or None, frame).
        self.paused: list[tuple[int | None, ServerFrame]] | None = None

    def push(self, frame: ServerFrame, text: str | None = None) -> None:
        """A frame that is not a committed message."""
        if self.paused is not None:
            self.paused.append((None, frame))
        else:
            self.outbox.push(text or encode(frame))

    def push_message(self, message: MessageObject) -> None:
        """A committed message, unless the socket has it."""
        frame: ServerFrame = {"type": "message", "message": message}
        if self.paused is not None:
            self.paused.append((message["seq"], frame))
        elif message["seq"] > self.seq:
            self.seq = message["seq"]
            self.outbox.push(encode(frame))

    def acknowledge(self, seq: int) -> None:
        """The socket's own message is committed as `seq`: it needs no copy of it."""
        if self.paused is None:
            self.seq = max(self.seq, seq)

    def release(self, seq: int, known_text: int, message_id: str | None) -> None:
        """History up to `seq` and the first `known_text` code points of the running answer are sent: let the waiting
        frames follow, without what they repeat."""
        waiting, self.paused = self.paused or [], None
        self.seq = max(self.seq, seq)
        for number, frame in waiting:
            if frame["type"] == "message":
                if number is not None and number > self.seq:
                    self.seq = number
                    self.outbox.push(encode(frame))
            elif frame["type"] == "delta" and frame["message_id"] == message_id:
                fresh = frame["text"][max(0, known_text - frame["offset"]) :]
                if fresh:
                    offset = max(frame["offset"], known_text)
                    self.outbox.push(encode({**frame, "offset": offset, "text": fresh}))
            elif not (frame["type"] == "start" and frame["message_id"] == message_id):
                self.outbox.push(encode(frame))


@dataclass(slots=True)
class LiveAnswer:
    """An answer being made by this process."""

    message_id: uuid.UUID
    text: str = ""
    stopped: bool = False
    work: asyncio.Task[Any] | None = None

    def stop(self) -> None:
        """Break off: what has been said stands."""
        self.stopped = True
        if self.work is not None:
            self.work.cancel()


@dataclass(slots=True)
class Room:
    """A session as this process knows it."""

    watchers: set[Watcher] = field(default_factory=set)
    answer: LiveAnswer | None = None


class Hub:
    """One event loop's rooms."""

    def __init__(self) -> None:
        self._rooms: dict[Key, Room] = {}
        self.tasks: set[asyncio.Task[Any]] = set()

    async def watch(self, key: Key, watcher: Watcher) -> None:
        """Add a socket; once this returns it misses nothing."""
        room = self._rooms.get(key)
        if room is None or not room.watchers:
            room = self._rooms.setdefault(key, Room())
            room.watchers.add(watcher)
            await bus().subscribe(channel(*key), lambda event: self._hear(key, event))
        else:
            room.watchers.add(watcher)

    async def leave(self, key: Key, watcher: Watcher) -> None:
        """Remove a socket; an answer that is being made goes on."""
        room = self._rooms.get(key)
        if room is None:
            return
        room.watchers.discard(watcher)
        if not room.watchers:
            await bus().unsubscribe(channel(*key))
            self._forget(key)

    def answering(self, key: Key) -> LiveAnswer | None:
        """The answer that this process is making in a session."""
        room = self._rooms.get(key)
        return room.answer if room else None

    def begin(self, key: Key, message_id: uuid.UUID) -> LiveAnswer:
        """An answer begins here."""
        room = self._rooms.setdefault(key, Room())
        room.answer = LiveAnswer(message_id)
        return room.answer

    def finish(self, key: Key) -> None:
        """The answer is over."""
        room = self._rooms.get(key)
        if room is not None:
            room.answer = None
            self._forget(key)

    def tell_here(self, key: Key, frame: ServerFrame, *, but: Watcher | None = None) -> None:
        """Send a frame to this process's sockets of a session."""
        room = self._rooms.get(key)
        if room is None or not room.watchers:
            return
        if frame["type"] == "message":
            for watcher in tuple(room.watchers):
                if watcher is not but:
                    watcher.push_message(frame["message"])
            return
        text = encode(frame)
        for watcher in tuple(room.watchers):
            if watcher is not but:
                watcher.push(frame, text)

    def tell(self, key: Key, frame: ServerFrame, *, but: Watcher | None = None) -> None:
        """Send a frame to every socket of a session, in whichever process."""
        self.tell_here(key, frame, but=but)
        bus().publish(*key, as_event(frame))

    def spawn(self, work: Coroutine[Any, Any, T]) -> asyncio.Task[T]:
        """Run a coroutine that outlives whoever asked for it."""
        task = asyncio.create_task(work)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)
        return task

    def _hear(self, key: Key, event: dict[str, Any]) -> None:
        if event.get("stop"):
            self.stop(key)
        else:
            self.tell_here(key, event["frame"])

    def stop_everywhere(self, key: Key) -> None:
        """Stop the answer being made in a session, in whichever process."""
        self.stop(key)
        bus().publish(*key, stop_event(told_here=True))

    def stop(self, key: Key) -> None:
        """Stop the answer that this process is making in a session, if any."""
        live = self.answering(key)
        if live is not None:
            live.stop()

    def stop_all(self) -> None:
        """Stop every answer that this process is making."""
        for room in tuple(self._rooms.values()):
            if room.answer is not None:
                room.answer.stop()

    def _forget(self, key: Key) -> None:
        room = self._rooms.get(key)
        if room is not None and not room.watchers and room.answer is None:
            del self._rooms[key]


def as_event(frame: ServerFrame, *, told_here: bool = True) -> bytes:
    """A frame as processes hear of it. Not `told_here`: this process's own sockets have yet to be told, too, as when
    a thread or a worker announces it."""
    return (OWN if told_here else ANYBODY) + orjson.dumps({"frame": frame})


def stop_event(*, told_here: bool = False) -> bytes:
    """What asks the process that makes a session's answer to break it off."""
    return (OWN if told_here else ANYBODY) + orjson.dumps({"stop": True})


_hubs: WeakKeyDictionary[asyncio.AbstractEventLoop, Hub] = WeakKeyDictionary()


def hub() -> Hub:
    """The running loop's Hub."""
    loop = asyncio.get_running_loop()
    if loop not in _hubs:
        _hubs[loop] = Hub()
    return _hubs[loop]
