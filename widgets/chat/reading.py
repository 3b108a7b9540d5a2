"""How far a visitor has read, for the unread badge they find when they come back."""

import uuid

from widgets.models import Session


def mark_read(session_id: uuid.UUID, seq: int) -> bool:
    """The visitor has read everything up to `seq`; False where that was known, or where there is no such message yet.
    Sync, inside `acting_as`."""
    unread = Session.objects.filter(pk=session_id, read_seq__lt=seq, last_seq__gte=seq)
    return bool(unread.update(read_seq=seq))
