"""The visitor asks for a person."""

import uuid

from widgets import events
from widgets.chat import asking
from widgets.inbox.taking_over import Change, open_for_change
from widgets.inbox.telling import status_frame, tell
from widgets.models import MessageRole, SessionStatus

MAX_REASON = 500


def ask_for_person(session_id: uuid.UUID, reason: str | None = None) -> Change:
    """Put a conversation that the AI has into the queue for a person (`ai` to `waiting`); the AI answers no more.

    Changes nothing where one waits for a person or has one already. `reason` is kept with the system message, which
    the tenant's people see, to 500 characters. Raises NotFound, Conflict (`session_ended`). Inside `acting_as`.
    """
    session = open_for_change(session_id)
    if session.status != SessionStatus.AI:
        return Change(session, None)
    session.status = SessionStatus.WAITING
    session.save(update_fields=["status", "updated_at"])
    message = asking.say(
        session,
        MessageRole.SYSTEM,
        "",
        metadata={"event": "waiting", "reason": (reason or "").replace("\0", "")[:MAX_REASON]},
    )
    events.of_session(events.SESSION_HANDED_OVER, session.pk)
    tell(session.pk, {"type": "message", "message": message}, status_frame(session))
    return Change(session, message)
