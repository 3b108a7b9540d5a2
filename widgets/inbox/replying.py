"""A person answers a visitor."""

import uuid

from kernel.errors import InvalidInput
from tenants.models import User
from widgets.chat import asking
from widgets.chat.messages import MessageObject, listed
from widgets.chat.protocol import MAX_CONTENT
from widgets.inbox.taking_over import open_for_change, take_over
from widgets.inbox.telling import tell
from widgets.models import Message, MessageRole, SessionStatus


def reply(
    session_id: uuid.UUID, author: User, content: str, *, client_id: uuid.UUID | None = None
) -> MessageObject:
    """Say `content` as a person, live to the visitor's sockets. Who replies to a conversation that no person has takes
    it over with that; where a colleague has it, both may write.

    The same `client_id` again says nothing new and returns the first message. Raises NotFound, Conflict
    (`session_ended`) and InvalidInput (`content`: 1 to 8,000 characters that are not all blank). Inside `acting_as`.
    """
    check_content(content)
    session = open_for_change(session_id)
    if client_id is not None:
        known = listed(Message.objects.filter(session=session, client_id=client_id))
        if known:
            return known[0]
    if session.status != SessionStatus.HUMAN:
        session = take_over(session_id, author).session
    message = asking.say(session, MessageRole.ASSISTANT, content, author=author, client_id=client_id)
    tell(session.pk, {"type": "message", "message": message})
    return message


def check_content(content: str) -> None:
    """Raise InvalidInput, naming `content`, for what is no message."""
    if not content.strip():
        raise InvalidInput.of("content", "must not be blank")
    if len(content) > MAX_CONTENT:
        raise InvalidInput.of(
            "content", f"must have at most {MAX_CONTENT:,} characters, this has {len(content):,}"
        )
    if "\0" in content:
        raise InvalidInput.of("content", "must not hold the character NUL")
