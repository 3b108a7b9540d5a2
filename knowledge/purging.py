"""Deleted documents go for good when their time is over: rows, versions, and files that nothing else refers to."""

import uuid
from datetime import timedelta
from typing import Final

from kernel.clock import now
from knowledge.files import storing
from knowledge.models import Document
from tenants import due_work
from tenants.context import acting_as

WORK: Final = "purge_document"
RESTORABLE: Final = timedelta(days=30)
"""How long a deleted document can be brought back (data-model: delete is restorable for 30 days)."""


def promise(document_id: uuid.UUID) -> None:
    """The acting tenant's document was deleted now."""
    due_work.promise(WORK, document_id, now() + RESTORABLE)


def forget(document_id: uuid.UUID) -> None:
    """The document is back."""
    due_work.keep(WORK, document_id)


def purge_due() -> int:
    """Delete for good what was deleted RESTORABLE ago, of all tenants; how many documents went."""
    due = due_work.overdue(WORK, now())
    gone = 0
    for work in due:
        with acting_as(work.tenant):
            gone += _purge(work.key)
            due_work.keep(WORK, work.key)
    return gone


def _purge(document_id: uuid.UUID) -> bool:
    document = Document.objects.select_for_update().filter(pk=document_id, deleted_at__isnull=False).first()
    if document is None:
        return False
    files = set(document.versions.values_list("file_id", flat=True))
    document.delete()
    storing.release(files)
    return True
