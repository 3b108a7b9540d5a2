"""One connection's part in a conversation: what each frame does and what it is answered with."""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from kernel.errors import NotFound
from tenants.context import run_as
from widgets.chat import asking, messages, origins, recovery
from widgets.chat.answering import start_answer
from widgets.chat.asking import Asked, Run
from widgets.chat.hub import Key, Outbox, Watcher, hub
from widgets.chat.limits import ConnectionLimits
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import (
    ClientEnd,
    ClientFrame,
    ClientMessage,
    ClientPing,
    ClientResume,
    ClientStop,
    ErrorCode,
    PartialAnswer,
    ServerFrame,
    ServerHistory,
    SessionState,
    encode,
    error,
    session_state,
)
from widgets.chat.streams import bus
from widgets.chat.visiting import Guest
from widgets.models import AnswerRun, Widget

LONGEST_HISTORY: Final = 500


@dataclass(frozen=True, slots=True)
class Opening:
    """What a connection starts from: the open session, if there is one."""

    session_id: uuid.UUID | None = None
    status: str = "ai"
    last_seq: int = 0

    def state(self) -> SessionState | None:
        """As boot and ready tell it."""
        if self.session_id is None:
            return None
        return session_state(self.session_id, self.status, self.last_seq)


@dataclass(frozen=True, slots=True)
class Missed:
    """What a resume found in the database."""

    messages: list[MessageObject]
    complete: bool
    running_id: uuid.UUID | None
    next_run: Run | None


def opening(guest: Guest, origin: str) -> Opening | None:
    """The guest's open session; None when the widget is gone or no longer allows this origin."""
    widget = Widget.objects.filter(pk=guest.widget_id, is_active=True).first()
    if widget is None or not origins.allows(widget, origin):
        return None
    session = asking.resumable_session(guest)
    return Opening(session.pk, session.status, session.last_seq) if session else Opening()


class Conversation:
    """A socket's conversation."""

    def __init__(self, guest: Guest, outbox: Outbox, metadata: dict[str, Any]) -> None:
        self.guest, self.outbox, self.metadata = guest, outbox, metadata
        self.limits = ConnectionLimits()
        self._watcher = Watcher(outbox, 0)
        self._session_id: uuid.UUID | None = None

    async def open(self, start: Opening) -> None:
        """The first frame, then whatever the session tells."""
        self._watcher.seq = start.last_seq
        self._send({"type": "ready", "session": start.state(), "last_seq": start.last_seq})
        if start.session_id is not None:
            await self._watch(start.session_id)

    async def leave(self) -> None:
        """The socket has gone; an answer that is being made goes on."""
        self.outbox.close()
        if self._session_id is not None:
            await hub().leave(self._key(), self._watcher)

    async def handle(self, frame: ClientFrame) -> None:
        """Do what a frame asks."""
        match frame:
            case ClientMessage():
                await self._message(frame)
            case ClientResume():
                await self._resume(frame.after)
            case ClientStop():
                await self._stop()
            case ClientPing():
                self._send({"type": "pong"})
            case ClientEnd():
                await self._end()
            case _:
                self._refuse("not_allowed", f"{frame.type}: not offered by this widget yet")

    async def _message(self, frame: ClientMessage) -> None:
        own_id = str(frame.id)
        wait = self.limits.message()
        if wait:
            self._send(
                error(
                    "too_fast", "wait a moment before the next message", id=own_id, retry_after=round(wait, 1)
                )
            )
            return
        if frame.attachments:
            self._refuse("attachment_refused", "attachments: not offered by this widget yet", own_id)
            return
        asked = await run_as(
            self.guest.tenant, asking.ask, self.guest, frame.id, frame.content, metadata=self.metadata
        )
        await self._acknowledge(own_id, asked)
        if asked.run is not None:
            start_answer(self.guest.tenant, self.guest.widget_id, asked.run)

    async def _acknowledge(self, own_id: str, asked: Asked) -> None:
        if asked.session_id != self._session_id:
            # A session's first message, or a new session after a day: whatever is in it we have not seen.
            self._watcher.seq = 0
            await self._watch(asked.session_id)
        self._send(
            {
                "type": "ack",
                "id": own_id,
                "message_id": str(asked.message_id),
                "seq": asked.seq,
                "session": str(asked.session_id),
            }
        )
        if asked.message is None:
            return
        if asked.seq > self._watcher.seq + 1:
            await self._catch_up(asked.seq)
        self._watcher.acknowledge(asked.seq)
        hub().tell(self._key(), {"type": "message", "message": asked.message}, but=self._watcher)

    async def _catch_up(self, before: int) -> None:
        """Send what others said between our last message and this one of ours."""
        known = self._watcher.seq
        for message in await run_as(
            self.guest.tenant, messages.after, self._key()[1], known, LONGEST_HISTORY
        ):
            if message["seq"] < before:
                self._watcher.push_message(message)

    async def _resume(self, after: int) -> None:
        if self._session_id is None:
            self._send({"type": "history", "messages": [], "complete": True})
            return
        # Live frames wait from here on, so that none is lost between what we read and what comes after it.
        self._watcher.paused = []
        known_text, answer_id, last = 0, None, self._watcher.seq
        try:
            missed = await run_as(self.guest.tenant, read_missed, self._session_id, after)
            frame: ServerHistory = {
                "type": "history", "messages": missed.messages, "complete": missed.complete,
            }  # fmt: skip
            partial = await self._partial(missed)
            if partial is not None:
                frame["partial"] = partial
                known_text, answer_id = len(partial["text"]), partial["message_id"]
            last = max([after, *(message["seq"] for message in missed.messages)])
            self._send(frame)
        finally:
            self._watcher.release(last, known_text, answer_id)
        if missed.next_run is not None:
            start_answer(self.guest.tenant, self.guest.widget_id, missed.next_run)

    async def _partial(self, missed: Missed) -> PartialAnswer | None:
        live = hub().answering(self._key())
        if live is not None and str(live.message_id) not in {message["id"] for message in missed.messages}:
            return {"message_id": str(live.message_id), "text": live.text}
        if missed.running_id is None:
            return None
        text = await bus().text_so_far(self.guest.tenant, missed.running_id)
        return {"message_id": str(missed.running_id), "text": text}

    async def _stop(self) -> None:
        if self._session_id is not None:
            hub().stop_everywhere(self._key())

    async def _end(self) -> None:
        if self._session_id is None:
            return
        hub().stop_everywhere(self._key())
        try:
            ended = await run_as(self.guest.tenant, end_by_visitor, self._session_id)
        except NotFound as problem:
            self._refuse("session_ended", problem.detail)
            return
        hub().tell(self._key(), {"type": "message", "message": ended})
        hub().tell(self._key(), {"type": "status", "status": "ended"})

    async def _watch(self, session_id: uuid.UUID) -> None:
        if self._session_id is not None:
            await hub().leave(self._key(), self._watcher)
        self._session_id = session_id
        await hub().watch(self._key(), self._watcher)

    def _key(self) -> Key:
        assert self._session_id is not None
        return self.guest.tenant, self._session_id

    def _refuse(self, code: ErrorCode, detail: str, own_id: str | None = None) -> None:
        self._send(error(code, detail, id=own_id))

    def _send(self, frame: ServerFrame) -> None:
        self.outbox.push(encode(frame))


def read_missed(session_id: uuid.UUID, after: int) -> Missed:
    """What was said after `after`, and the answer being made. A run whose process died is ended here and now, and what
    was asked meanwhile is taken up, so that a visitor who comes back need not wait for beat."""
    run = asking.running(session_id)
    if run is not None and run.lease_until < timezone.now():
        recovery.recover(run.pk)
        run = asking.running(session_id)
    next_run = asking.next_unanswered(session_id) if run is None else None
    found = messages.after(session_id, after, LONGEST_HISTORY + 1)
    complete = len(found) <= LONGEST_HISTORY
    return Missed(found[-LONGEST_HISTORY:], complete, _running_id(run), next_run)


def end_by_visitor(session_id: uuid.UUID) -> MessageObject:
    """End the visitor's session. Raises NotFound when it has ended already."""
    session = asking.lock(session_id)
    if session is None or not session.is_open:
        raise NotFound("the session has ended")
    return asking.end_session(session, "visitor")


def _running_id(run: AnswerRun | None) -> uuid.UUID | None:
    return run.message_id if run else None
