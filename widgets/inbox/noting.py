"""What people note down about a conversation."""

import uuid
from collections.abc import Sequence

from kernel.errors import NotFound
from widgets.chat import asking


def note_down(
    session_id: uuid.UUID, *, tags: Sequence[str] | None = None, outcome: str | None = None
) -> None:
    """Set a conversation's tags (each once, in order) or outcome, also after it has ended. Raises NotFound. Inside
    `acting_as`."""
    session = asking.lock(session_id)
    if session is None:
        raise NotFound(f"There is no session {session_id}.")
    if tags is not None:
        session.tags = list(dict.fromkeys(tags))
    if outcome is not None:
        session.outcome = outcome
    session.save(update_fields=["tags", "outcome", "updated_at"])
