"""A visitor rates an answer. Sync, inside `acting_as`."""

import uuid

from kernel.errors import NotFound
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
    if is_new:
        return feedback
    if comment is not None or feedback.rating != rating:
        feedback.rating, feedback.comment = rating, comment or ""
        feedback.save(update_fields=["rating", "comment", "updated_at"])
    return feedback
