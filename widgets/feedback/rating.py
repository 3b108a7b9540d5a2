"""A visitor rates an answer. Sync, inside `acting_as`."""

import uuid
from typing import Any

from kernel.errors import NotFound
from tenants.webhooks.publishing import publish
from widgets import events
from widgets.models import Feedback, Message, MessageRole


def rate(visitor_id: uuid.UUID, message_id: uuid.UUID, rating: int, comment: str | None = None) -> Feedback:
    """Keep a visitor's rating (1 or -1) of an answer in one of their own sessions; the last one counts.

    No comment leaves the one that was given with the same rating; with the other rating it goes, because it was about
    that. Raises NotFound for any other message: a question, a stranger's, another tenant's.
    """
    own = Message.objects.filter(
        pk=message_id, role=MessageRole.ASSISTANT, session__visitor_id=visitor_id
    ).exists()
    if not own:
        raise NotFound("message_id: no answer of yours has this id")
    feedback, is_new = Feedback.objects.select_for_update().get_or_create(
        message_id=message_id,
        defaults={"visitor_id": visitor_id, "rating": rating, "comment": comment or ""},
    )
    if not is_new:
        if comment is None and feedback.rating == rating:
            return feedback
        feedback.rating, feedback.comment = rating, comment or ""
        feedback.save(update_fields=["rating", "comment", "updated_at"])
    publish(events.FEEDBACK_CREATED, lambda: feedback_object(feedback))
    return feedback


def feedback_object(given: Feedback) -> dict[str, Any]:
    """A rating as the API shows it."""
    return {
        "id": given.pk,
        "session": given.message.session_id,
        "message": given.message_id,
        "visitor": given.visitor_id,
        "rating": given.rating,
        "comment": given.comment,
        "created_at": given.created_at,
        "updated_at": given.updated_at,
    }
