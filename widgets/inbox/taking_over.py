"""Who has a conversation: the AI, nobody yet, or a person. Sync, inside `acting_as`.

Each change locks the session's row first, so one of two that come at once wins and the other sees what it did. Each
writes a numbered `system` message with `metadata.event` and tells the session's sockets once it is committed. What
changes nothing (taking over what one has already) writes nothing.
"""

import uuid
from dataclasses import dataclass
from typing import Any, Final

from django.utils import timezone

from kernel.errors import Conflict, InvalidInput, NotFound
from tenants.models import User
from widgets import events
from widgets.chat import asking, recovery, replying
from widgets.chat.messages import MessageObject
from widgets.inbox.telling import status_frame, stop_answer, tell
from widgets.models import MessageRole, MessageStatus, RunStatus, Session, SessionStatus

# What the tenant's programs are told, by the event of the message that notes it down.
TOLD_AS: Final = {
    "taken_over": events.SESSION_TAKEN_OVER,
    "assigned": events.SESSION_ASSIGNED,
    "released": events.SESSION_RELEASED,
}


@dataclass(frozen=True, slots=True)
class Change:
    """A conversation as it is now, and the message that says what was done; None where nothing had to be."""

    session: Session
    message: MessageObject | None


def take_over(session_id: uuid.UUID, agent: User) -> Change:
    """Give a conversation to `agent`; the AI answers no more until it is released. An answer that is being made is
    broken off: what it had said stands.

    Raises NotFound, Conflict (`session_ended`, or `session_taken` where another person has it: `assign` moves it).
    """
    session = open_for_change(session_id)
    if session.status == SessionStatus.HUMAN and session.assignee_id is not None:
        if session.assignee_id == agent.pk:
            return Change(session, None)
        raise Conflict("Another person has this conversation; assign it instead.", code="session_taken")
    _break_off(session)
    _set(session, SessionStatus.HUMAN, agent.pk)
    return _changed(session, "taken_over", by=agent, agent=agent)


def assign(session_id: uuid.UUID, assignee: User | None, by: User | None = None) -> Change:
    """Make `assignee` the one who is to look after a conversation; None: nobody.

    Who answers stays as it is, with one exception: a conversation that a person had and nobody has now waits for one.
    `by` is None for a program. Raises NotFound, Conflict (`session_ended`).
    """
    session = open_for_change(session_id)
    if session.assignee_id == (assignee.pk if assignee else None):
        return Change(session, None)
    status = SessionStatus(session.status)
    waits = assignee is None and status is SessionStatus.HUMAN
    if waits:
        status = SessionStatus.WAITING
    _set(session, status, assignee.pk if assignee else None)
    agent = assignee if status is SessionStatus.HUMAN else None
    change = _changed(
        session, "assigned", by=by, agent=agent, assignee=str(assignee.pk) if assignee else None
    )
    if waits:
        events.of_session(events.SESSION_HANDED_OVER, session.pk)
    return change


def release(session_id: uuid.UUID, by: User | None = None) -> Change:
    """Give a conversation back to the AI. It answers the visitor's next message, or, when they come back, the last one
    that nobody has replied to.

    Raises NotFound, Conflict (`session_ended`).
    """
    session = open_for_change(session_id)
    if session.status == SessionStatus.AI and session.assignee_id is None:
        return Change(session, None)
    _set(session, SessionStatus.AI, None)
    return _changed(session, "released", by=by)


def end(session_id: uuid.UUID, by: User | None = None) -> Change:
    """End a conversation for good; what the visitor says later begins a new one.

    Raises NotFound, Conflict (`session_ended`).
    """
    session = open_for_change(session_id)
    _break_off(session)
    message = asking.end_session(session, "agent", by=by)
    tell(session.pk, {"type": "message", "message": message}, status_frame(session))
    return Change(session, message)


def colleague(identifier: uuid.UUID, *, field: str = "member") -> User:
    """The active person of the acting tenant with this id. Raises InvalidInput naming `field`."""
    person = User.objects.filter(pk=identifier, is_active=True).first()
    if person is None:
        raise InvalidInput.of(field, "must be the id of an active member of your team")
    return person


def open_for_change(session_id: uuid.UUID) -> Session:
    """A session, locked against every other change. Raises NotFound, Conflict (`session_ended`)."""
    session = asking.lock(session_id)
    if session is None:
        raise NotFound(f"There is no session {session_id}.")
    if not session.is_open:
        raise Conflict("This conversation has ended.", code="session_ended")
    return session


def _set(session: Session, status: SessionStatus, assignee_id: uuid.UUID | None) -> None:
    session.status, session.assignee_id = status, assignee_id
    session.save(update_fields=["status", "assignee", "updated_at"])


def _changed(
    session: Session, event: str, *, by: User | None, agent: User | None = None, **told: Any
) -> Change:
    message = asking.say(session, MessageRole.SYSTEM, "", author=by, metadata={"event": event, **told})
    events.of_session(TOLD_AS[event], session.pk)
    tell(session.pk, {"type": "message", "message": message}, status_frame(session, agent))
    return Change(session, message)


def _break_off(session: Session) -> None:
    """End the answer being made, here and not only by asking its process to stop: that process may not hear it, and an
    answer must not arrive after a person has begun. It books what was spent when it finds its run ended."""
    run = asking.running(session.pk)
    if run is None:
        return
    if run.lease_until < timezone.now():
        recovered = recovery.recover(run.pk)
        if recovered is not None:
            tell(session.pk, {"type": "message", "message": recovered})
            session.refresh_from_db(fields=["last_seq", "last_message_at"])
        return
    stop_answer(session.pk)
    replying.end_run(run.pk, RunStatus.INTERRUPTED)
    text = recovery.told(run)
    if text:
        message = asking.say(
            session,
            MessageRole.ASSISTANT,
            text,
            id=run.message_id,
            status=MessageStatus.INTERRUPTED,
            metadata={"event": "interrupted", "model": run.metadata.get("model")},
        )
        tell(session.pk, {"type": "message", "message": message})
