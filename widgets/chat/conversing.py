"""One connection's part in a conversation: what each frame does and what it is answered with."""

import uuid
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from kernel import observing, tracing
from kernel.errors import Conflict, NotFound
from tenants.context import run_as
from widgets.chat import asking, beginning, capping, messages, origins, reading
from widgets.chat.admitting import Allowance, admit
from widgets.chat.answering import start_answer
from widgets.chat.asking import Asked
from widgets.chat.capping import Payer, Terms
from widgets.chat.hub import Key, Outbox, Watcher, hub
from widgets.chat.limits import ConnectionLimits
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import (
    ClientEnd,
    ClientFeedback,
    ClientFrame,
    ClientHandoff,
    ClientMessage,
    ClientPing,
    ClientRead,
    ClientResume,
    ClientStop,
    ClientTyping,
    ErrorCode,
    ServerFrame,
    SessionState,
    encode,
    error,
    session_state,
)
from widgets.chat.resuming import LONGEST_HISTORY, history_after
from widgets.chat.visiting import Guest
from widgets.feedback.rating import rate
from widgets.inbox.handing_over import ask_for_person
from widgets.models import Widget


@dataclass(frozen=True, slots=True)
class Opening:
    """What a connection starts from: the widget's terms and the open session, if there is one."""

    terms: Terms
    session_id: uuid.UUID | None = None
    status: str = "ai"
    last_seq: int = 0
    cost_usd: Decimal = Decimal(0)

    def state(self) -> SessionState | None:
        """As boot and ready tell it."""
        if self.session_id is None:
            return None
        return session_state(self.session_id, self.status, self.last_seq)

    def payer(self, guest: Guest, address: str) -> Payer:
        """Whom the answers on this connection are counted for."""
        return Payer(
            guest.tenant,
            guest.widget_id,
            guest.visitor_id,
            address,
            self.terms,
            self.session_id,
            capping.nano(self.cost_usd),
        )


def opening_of(guest: Guest, widget: Widget) -> Opening:
    """What a connection of the guest at this widget, one from `with_terms`, starts from."""
    session, terms = beginning.resumable_session(guest), capping.terms_of(widget)
    if session is None:
        return Opening(terms)
    return Opening(terms, session.pk, session.status, session.last_seq, session.cost_usd)


def opening(guest: Guest, origin: str) -> Opening | None:
    """The guest's open session; None when the widget is gone or no longer allows this origin."""
    widget = capping.with_terms(Widget.objects.filter(pk=guest.widget_id, is_active=True)).first()
    return opening_of(guest, widget) if widget is not None and origins.allows(widget, origin) else None


class Conversation:
    """A connection's conversation; `limits` are its own unless it shares a visitor's."""

    def __init__(
        self, guest: Guest, outbox: Outbox, metadata: dict[str, Any], limits: ConnectionLimits | None = None
    ) -> None:
        self.guest, self.outbox, self.metadata = guest, outbox, metadata
        self.limits = limits or ConnectionLimits()
        self._watcher = Watcher(outbox, 0)
        self._session_id: uuid.UUID | None = None
        self._payer: Payer | None = None
        self._read_seq = 0

    @property
    def session_id(self) -> uuid.UUID | None:
        """The session it is in; None before the visitor's first message."""
        return self._session_id

    async def open(self, start: Opening) -> None:
        """The first frame, then whatever the session tells."""
        self._send({"type": "ready", "session": start.state(), "last_seq": start.last_seq})
        await self.join(start)

    async def join(self, start: Opening) -> None:
        """From here on, whatever the session tells."""
        self._watcher.seq = start.last_seq
        self._payer = start.payer(self.guest, self.metadata["ip"])
        if start.session_id is not None:
            await self._watch(start.session_id)

    async def leave(self) -> None:
        """The socket has gone; an answer that is being made goes on."""
        self.outbox.close()
        if self._session_id is not None:
            await hub().leave(self._key(), self._watcher)

    async def handle(self, frame: ClientFrame) -> None:
        """Do what a frame asks. Raises TooSoon."""
        match frame:
            case ClientMessage():
                await self._message(frame)
            case ClientResume():
                await self._resume(frame.after)
            case ClientStop():
                await self._stop()
            case ClientPing():
                self._send({"type": "pong"})
            case ClientTyping():
                self._type()
            case ClientRead():
                await self._read(frame.seq)
            case ClientFeedback():
                await self._rate(frame)
            case ClientHandoff():
                await self._hand_over(frame.reason)
            case ClientEnd():
                await self._end()

    async def _message(self, frame: ClientMessage) -> None:
        own_id = str(frame.id)
        self.limits.message(own_id)
        if frame.attachments:
            self._refuse("attachment_refused", "attachments: not offered by this widget yet", own_id)
            return
        assert self._payer is not None
        allowance = await admit(self._payer, own_id)
        try:
            with tracing.span("commit question"):
                asked = await run_as(
                    self.guest.tenant, asking.ask, self.guest, frame.id, frame.content, metadata=self.metadata
                )
        except BaseException:
            allowance.release()
            raise
        observing.note(session_id=asked.session_id)
        allowance.said_in(asked.session_id)
        self._payer = allowance.payer
        if asked.run is None:
            allowance.release()
        await self._acknowledge(own_id, asked)
        if asked.run is not None:
            start_answer(self.guest.tenant, self.guest.widget_id, asked.run, allowance)

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
            frame, next_run = await history_after(self._key(), after)
            if "partial" in frame:
                known_text, answer_id = len(frame["partial"]["text"]), frame["partial"]["message_id"]
            last = max([after, *(message["seq"] for message in frame["messages"])])
            self._send(frame)
        finally:
            self._watcher.release(last, known_text, answer_id)
        if next_run is not None:
            assert self._payer is not None
            start_answer(self.guest.tenant, self.guest.widget_id, next_run, Allowance(self._payer))

    async def _stop(self) -> None:
        if self._session_id is not None:
            hub().stop_everywhere(self._key())

    def _type(self) -> None:
        """Relayed to whoever else has the session open, and nowhere kept; too many of them are dropped."""
        if self._session_id is not None and not self.limits.typing():
            hub().tell(self._key(), {"type": "typing", "who": "visitor"}, but=self._watcher)

    async def _read(self, seq: int) -> None:
        # Nobody has read what this connection was never sent; so a session has no more writes than messages.
        seen = min(seq, self._watcher.seq)
        if self._session_id is None or seen <= self._read_seq:
            return
        self._read_seq = seen
        await run_as(self.guest.tenant, reading.mark_read, self._session_id, seen)

    async def _rate(self, frame: ClientFeedback) -> None:
        about = str(frame.message_id)
        self.limits.deed(about)
        try:
            await run_as(
                self.guest.tenant, rate, self.guest.visitor_id, frame.message_id, frame.rating, frame.comment
            )
        except NotFound as problem:
            self._refuse("not_found", problem.detail, about)

    async def _hand_over(self, reason: str | None) -> None:
        if self._session_id is None:
            self._refuse("not_found", "there is no conversation yet: say something first")
        else:
            self.limits.deed()
            try:
                await run_as(self.guest.tenant, ask_for_person, self._session_id, reason)
            except (NotFound, Conflict) as problem:
                self._refuse("session_ended", problem.detail)

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
        self._session_id, self._read_seq = session_id, 0
        await hub().watch(self._key(), self._watcher)

    def _key(self) -> Key:
        assert self._session_id is not None
        return self.guest.tenant, self._session_id

    def _refuse(self, code: ErrorCode, detail: str, own_id: str | None = None) -> None:
        self._send(error(code, detail, id=own_id))

    def _send(self, frame: ServerFrame) -> None:
        self.outbox.push(encode(frame))


def end_by_visitor(session_id: uuid.UUID) -> MessageObject:
    """End the visitor's session. Raises NotFound when it has ended already."""
    session = asking.lock(session_id)
    if session is None or not session.is_open:
        raise NotFound("the session has ended")
    return asking.end_session(session, "visitor")
