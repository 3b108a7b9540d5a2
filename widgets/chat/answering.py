"""Answering a question: from the promise to the committed message, whether or not the visitor stays to see it.

An answer runs as a task of its own that outlives the connection. It holds a lease which it extends; when its process
dies, the lease expires and `recovery` ends what was begun.
"""

import asyncio
import logging
import uuid
from decimal import Decimal
from typing import Final

from django.db import Error as DatabaseError

from kernel import tracing
from tenants.context import TenantRef, run_as
from widgets.chat.admitting import Allowance
from widgets.chat.asking import Run
from widgets.chat.composing import Composition, broken_off, compose
from widgets.chat.hub import Hub, LiveAnswer, as_event, hub
from widgets.chat.leasing import leases
from widgets.chat.protocol import ErrorCode, ServerDelta, error
from widgets.chat.replying import Draft, Replied, reply
from widgets.chat.reporting import report
from widgets.chat.streams import bus

logger = logging.getLogger(__name__)

COALESCED_S: Final = 0.05
PICTURE_S: Final = 1 / 30
COMMIT_TRIES: Final = 4
# What the visitor is told beside the message when an answer failed, by its metadata.event.
REPORTED: Final[dict[str, ErrorCode]] = {
    "model_unavailable": "model_unavailable",
    "budget_reached": "budget_reached",
}


def start_answer(
    tenant: TenantRef, widget_id: uuid.UUID | None, run: Run, allowance: Allowance | None = None
) -> None:
    """Answer `run` in a task that outlives the caller. `allowance`: what it may cost, where a visitor asks."""
    hub().begin((tenant, run.session_id), run.message_id)
    hub().spawn(answer(tenant, widget_id, run, allowance))


async def answer(
    tenant: TenantRef, widget_id: uuid.UUID | None, run: Run, allowance: Allowance | None = None
) -> Replied:
    """Make, tell and commit the answer to `run`, then start on whatever was asked in the meantime."""
    with tracing.span("answer", frontdesk__session__id=str(run.session_id)):
        replied = await _answer(tenant, widget_id, run, allowance)
    if replied.next_run is not None:
        start_answer(tenant, widget_id, replied.next_run, allowance.next() if allowance else None)
    return replied


async def _answer(
    tenant: TenantRef, widget_id: uuid.UUID | None, run: Run, allowance: Allowance | None
) -> Replied:
    rooms, key = hub(), (tenant, run.session_id)
    live = rooms.answering(key) or rooms.begin(key, run.message_id)
    speaker = Speaker(rooms, tenant, run, live)
    work = Composition.of(tenant, widget_id, run, speaker.say, allowance)
    rooms.tell(key, {"type": "start", "message_id": str(run.message_id)})
    live.work = asyncio.create_task(compose_safely(work))
    leases().hold(tenant, run, live)
    cost: str | None = None
    tokens = 0
    try:
        draft = await live.work
        tokens = draft.metadata["tokensUsed"]
        speaker.flush()
        with tracing.span("commit answer") as span:
            replied = await _commit(tenant, run, draft)
            cost = draft.metadata.get("costUsd")
            span.set(frontdesk__cost_usd=None if cost is None else float(cost))
    finally:
        leases().let_go(tenant, run)
        if allowance is not None:
            allowance.settle(Decimal(cost) if cost is not None else None, tokens)
    rooms.finish(key)
    _tell(rooms, tenant, run, draft, replied)
    if replied.message is not None:
        report(work, draft, via="chat", cost=cost, stopped=live.stopped)
    return replied


class Speaker:
    """Says an answer: to this process's sockets at once, to everybody else some tens of milliseconds later.

    What comes faster than a screen can show it leaves together, PICTURE_S apart: a frame costs as much as five tokens.
    """

    def __init__(self, rooms: Hub, tenant: TenantRef, run: Run, live: LiveAnswer) -> None:
        self._rooms, self._tenant, self._run, self._live = rooms, tenant, run, live
        self._message_id = str(run.message_id)
        self._said = 0
        self._unsaid = ""
        self._untold = ""
        self._pause: asyncio.TimerHandle | None = None
        self._flusher: asyncio.TimerHandle | None = None

    def say(self, text: str) -> None:
        """More of the answer."""
        self._unsaid += text
        if self._pause is None:
            self._say()

    def flush(self) -> None:
        """Say what is left, and tell everybody else what they have not been told."""
        self._say()
        self._tell()
        self._cancel_timers()

    def _say(self) -> None:
        """Send what has come together to our own sockets; `live.text` is exactly what they have been sent."""
        self._pause = None
        text, self._unsaid = self._unsaid, ""
        if not text:
            return
        self._rooms.tell_here((self._tenant, self._run.session_id), self._frame(self._said, text))
        self._said += len(text)
        self._untold += text
        self._live.text += text
        loop = asyncio.get_running_loop()
        self._pause = loop.call_later(PICTURE_S, self._say)
        if self._flusher is None:
            self._flusher = loop.call_later(COALESCED_S, self._tell)

    def _cancel_timers(self) -> None:
        for timer in (self._pause, self._flusher):
            if timer is not None:
                timer.cancel()
        self._pause = self._flusher = None

    def _tell(self) -> None:
        self._flusher = None
        text, self._untold = self._untold, ""
        if text:
            event = as_event(self._frame(self._said - len(text), text))
            bus().append(self._tenant, self._run.session_id, self._run.message_id, text, event)

    def _frame(self, offset: int, text: str) -> ServerDelta:
        return {"type": "delta", "message_id": self._message_id, "offset": offset, "text": text}


async def drain(seconds: float) -> None:
    """Before the process ends: let running answers finish for `seconds`, then commit the rest as interrupted."""
    rooms = hub()
    tasks = set(rooms.tasks)
    if not tasks:
        return
    _, late = await asyncio.wait(tasks, timeout=seconds)
    rooms.stop_all()
    if late:
        await asyncio.wait(late, timeout=seconds)
    await bus().flush()


async def compose_safely(work: Composition) -> Draft:
    """`compose`, with a draft also for being stopped and for what nobody foresaw."""
    try:
        return await compose(work)
    except asyncio.CancelledError:
        # The visitor pressed stop, the process is about to end, or the lease is lost: what was said stands.
        return broken_off(work, "interrupted")
    except Exception:
        logger.exception("answer %s failed", work.purpose_id)
        return broken_off(work, "model_unavailable")


async def _commit(tenant: TenantRef, run: Run, draft: Draft) -> Replied:
    """Commit, again where the database was away for a moment; after that recovery has it."""
    for attempt in range(COMMIT_TRIES):
        try:
            return await run_as(tenant, reply, run, draft)
        except DatabaseError:
            logger.exception(
                "answer %s: could not be committed, try %d of %d", run.id, attempt + 1, COMMIT_TRIES
            )
            await asyncio.sleep(0.2 * 4**attempt)
    return Replied(None, None)


def _tell(rooms: Hub, tenant: TenantRef, run: Run, draft: Draft, replied: Replied) -> None:
    key = (tenant, run.session_id)
    if replied.message is None:
        return
    code = REPORTED.get(str(draft.metadata.get("event")))
    if code is not None:
        own_id = str(run.client_id) if run.client_id else None
        rooms.tell_here(
            key, error(code, draft.text if not draft.citations else "the answer broke off", id=own_id)
        )
    rooms.tell(key, {"type": "message", "message": replied.message})
