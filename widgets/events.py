"""The events of conversations, and what is told of each: the objects of the REST API."""

import uuid
from typing import Any, Final

from tenants.webhooks.catalogue import EventType, event_type
from tenants.webhooks.publishing import publish, publish_wanted
from widgets.chat.messages import as_message_object
from widgets.models import MessageRole
from widgets.sessions import session_object

SESSION_CREATED: Final = event_type(
    "session.created",
    "A conversation begins: with the visitor's first message, or opened by a program.",
    schema="Session",
)
SESSION_HANDED_OVER: Final = event_type(
    "session.handed_over", "A conversation waits for a person; the AI answers no more.", schema="Session"
)
SESSION_ASSIGNED: Final = event_type(
    "session.assigned", "Somebody, or nobody any more, is to look after a conversation.", schema="Session"
)
SESSION_TAKEN_OVER: Final = event_type(
    "session.taken_over", "A person has taken a conversation.", schema="Session"
)
SESSION_RELEASED: Final = event_type(
    "session.released", "A conversation was given back to the AI.", schema="Session"
)
SESSION_ENDED: Final = event_type(
    "session.ended",
    "A conversation is over: ended by the visitor, by a person, or after an idle day.",
    schema="Session",
)
MESSAGE_CREATED: Final = event_type(
    "message.created",
    "The visitor (`role` user), the AI (assistant) or a person (assistant with an `author`) has said something.",
    schema="Message",
)
FEEDBACK_CREATED: Final = event_type(
    "feedback.created", "A visitor has rated an answer, or changed the rating.", schema="Feedback"
)


def of_session(event: EventType, session_id: uuid.UUID) -> None:
    """Tell of a change of a conversation."""
    publish(event, lambda: session_object(session_id))


def of_message(row: dict[str, Any], *, is_wanted: bool) -> None:
    """Tell that a message was said (`row` as `messages.FIELDS` has it). What the system notes down is no message that
    anybody said; those changes have events of their own."""
    if is_wanted and row["role"] != MessageRole.SYSTEM:
        publish_wanted(MESSAGE_CREATED, as_message_object(row, for_visitor=False))
