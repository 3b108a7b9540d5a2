"""Talking without a socket, where a proxy lets none through: one frame in, its answers out as server-sent events.

The frame goes through the same `Conversation` as a socket's, so what it promises is the same: acknowledged once it is
committed, a resend gets the same acknowledgement, and an answer goes on without the visitor.
"""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any, Final, TypedDict

import orjson

from kernel.errors import InvalidInput
from tenants.context import run_as, run_in_thread
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from widgets.chat import asking, beginning, booting, visiting
from widgets.chat.admitting import Allowance
from widgets.chat.answering import start_answer
from widgets.chat.conversing import Conversation, Opening, opening_of
from widgets.chat.hub import LONGEST_BACKLOG, Outbox, hub
from widgets.chat.limits import limits_of
from widgets.chat.messages import MessageObject
from widgets.chat.protocol import (
    MAX_SEQ,
    ClientFrame,
    ClientMessage,
    FrameError,
    PartialAnswer,
    SessionState,
    encode,
    parse,
)
from widgets.chat.resuming import history_after
from widgets.chat.visiting import Bearer, Guest, IdentityInvalid

HEARTBEAT_S: Final = 10.0
COMMENT: Final = b":\n\n"
AMID_AN_ANSWER: Final = ('{"type":"start"', '{"type":"delta"')


class Poll(TypedDict, total=False):
    """What a poll is answered with: the `history` frame, and the session as boot tells it."""

    type: str
    messages: list[MessageObject]
    complete: bool
    partial: PartialAnswer
    session: SessionState | None


async def admit(token: str, origin: str | None) -> tuple[Guest, Opening]:
    """The visitor of a token, on the page at `origin`, and their open session.

    Raises TokenInvalid, WidgetNotFound, OriginNotAllowed, IdentityInvalid, TooSoon.
    """
    named = visiting.bearer(token)
    limits_of(named.visitor_id).request()
    tenant = await run_in_thread(lambda: resolve_tenant(KeyKind.TENANT, str(named.tenant_id)))
    if tenant is None:
        raise booting.WidgetNotFound("there is no such widget")
    identity = None
    if named.is_identified:
        unproved = Guest(tenant, named.widget_id, named.visitor_id)
        identity = await run_in_thread(lambda: visiting.recall_identity(unproved))
    guest = Guest(tenant, named.widget_id, named.visitor_id, identity)
    return guest, await run_as(tenant, _opening, guest, named, origin)


def _opening(guest: Guest, named: Bearer, origin: str | None) -> Opening:
    widget = booting.active_widget(origin, pk=guest.widget_id)
    if widget.require_identity and not named.is_identified:
        raise IdentityInvalid("identity: this widget is for signed-in visitors only")
    start = opening_of(guest, widget)
    if start.session_id is None:
        beginning.refuse_erased(guest)
    return start


async def poll(guest: Guest, start: Opening, after: str, address: str) -> Poll:
    """What was said after the seq `after`. Raises InvalidInput."""
    if not (after.isascii() and after.isdigit() and int(after) <= MAX_SEQ):
        raise InvalidInput.of("after", f"must be a whole number from 0 to {MAX_SEQ}")
    if start.session_id is None:
        return {"type": "history", "messages": [], "complete": True, "session": None}
    frame, next_run = await history_after((guest.tenant, start.session_id), int(after))
    if next_run is not None:
        start_answer(guest.tenant, guest.widget_id, next_run, Allowance(start.payer(guest, address)))
    return {**frame, "session": start.state()}


async def exchange(
    guest: Guest, start: Opening, metadata: dict[str, Any], body: bytes
) -> AsyncGenerator[bytes, None]:
    """Do what the frame in `body` asks (one without a type is a `message`), then tell its answers as server-sent
    events, to the end of the answer. What is wrong with the frame becomes an `error` frame, as on a socket.

    The first item, a comment, comes when the deed is done: take it before the response begins, so that what fails is
    the response's status, and so that the generator has begun and the loop will close it whatever becomes of it.
    """
    waiting = _Waiting()
    chat = Conversation(guest, waiting, metadata, limits_of(guest.visitor_id))
    # A request that is broken off must not leave a question committed with nobody to answer it.
    work = hub().spawn(_begin(chat, start, waiting, body))
    try:
        awaits_answer = await asyncio.shield(work)
        yield COMMENT
        may_be_over = True
        while not waiting.is_closed:
            if may_be_over and waiting.is_empty and not (awaits_answer and await _goes_on(chat, waiting)):
                return
            try:
                text = await asyncio.wait_for(waiting.next(), HEARTBEAT_S)
            except TimeoutError:
                may_be_over = True
                yield COMMENT
                continue
            may_be_over = not text.startswith(AMID_AN_ANSWER)
            yield b"data: " + text.encode() + b"\n\n"
    finally:
        hub().spawn(_leave_after(chat, work))


async def _begin(chat: Conversation, start: Opening, waiting: "_Waiting", body: bytes) -> bool:
    """Handle the frame; whether its visitor waits for an answer."""
    await chat.join(start)
    try:
        frame = _read(body)
    except FrameError as refused:
        waiting.push(encode(refused.frame))
        return False
    await chat.handle(frame)
    return isinstance(frame, ClientMessage) and chat.session_id is not None


async def _goes_on(chat: Conversation, waiting: "_Waiting") -> bool:
    """Whether there is more to come. The next answer is promised in the transaction that commits the one before it, so
    between two answers there is always one running; and what this process has committed but not yet told is still
    being answered as far as the hub knows."""
    assert chat.session_id is not None
    tenant = chat.guest.tenant
    is_running = await run_as(tenant, asking.running, chat.session_id) is not None
    return is_running or hub().answering((tenant, chat.session_id)) is not None or not waiting.is_empty


async def _leave_after(chat: Conversation, work: "asyncio.Task[bool]") -> None:
    await asyncio.wait([work])
    await chat.leave()


class _Waiting(Outbox):
    """Frames that wait for a response to take them."""

    __slots__ = ("_arrived", "is_closed")

    def __init__(self) -> None:
        self._arrived: asyncio.Queue[str] = asyncio.Queue(LONGEST_BACKLOG)
        self.is_closed = False

    @property
    def is_empty(self) -> bool:
        return self._arrived.empty()

    async def next(self) -> str:
        """The next frame."""
        return await self._arrived.get()

    def push(self, text: str) -> None:
        """Keep `text`; a response that takes none for too long is given up."""
        if self._arrived.full():
            self.is_closed = True
        if not self.is_closed:
            self._arrived.put_nowait(text)

    def close(self) -> None:
        """Keep nothing more."""
        self.is_closed = True


def _read(body: bytes) -> ClientFrame:
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as problem:
        raise FrameError("bad_frame", "the body is not JSON") from problem
    text = orjson.dumps({"type": "message", **value}).decode() if isinstance(value, dict) else "[]"
    return parse(text)
