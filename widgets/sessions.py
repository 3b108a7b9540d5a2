"""The session object: the one shape of a conversation in REST and in webhooks (product.md section 4)."""

import uuid
from collections.abc import Mapping
from typing import Any, Final

from kernel.errors import NotFound
from widgets.models import Session

COLUMNS: Final = (
    "id", "widget_id", "visitor_id", "meeting_id", "assignee_id", "mode", "status", "cost_usd", "tool_count",
    "last_seq", "last_message_at", "metadata", "outcome", "rating", "tags", "created_at", "updated_at", "ended_at",
)  # fmt: skip


def session_object(session_id: uuid.UUID) -> dict[str, Any]:
    """The conversation of the acting tenant with this id, as it stands. Raises NotFound."""
    row = Session.objects.filter(pk=session_id).values(*COLUMNS).first()
    if row is None:
        raise NotFound(f"There is no session {session_id}.")
    return as_session_object(row)


def as_session_object(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row of COLUMNS as the API names it: keys to other things without `_id`, as in the message object."""
    return {key.removesuffix("_id"): value for key, value in row.items()}
