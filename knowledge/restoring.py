"""Bringing back a deleted document."""

import uuid

from kernel.clock import now
from kernel.errors import NotFound
from knowledge import purging
from knowledge.documents import queue
from knowledge.models import Document


def restore_document(document_id: uuid.UUID) -> Document:
    """Bring back a document that was deleted less than `purging.RESTORABLE` ago; search finds it again once it is
    processed. Raises NotFound for one that is unknown, not deleted or gone. Inside `acting_as`."""
    since = now() - purging.RESTORABLE
    deleted = Document.objects.select_for_update().filter(deleted_at__gt=since)
    document = deleted.filter(pk=document_id).first()
    if document is None:
        raise NotFound(f"There is no deleted document {document_id} that could be restored.")
    purging.forget(document.pk)
    document.deleted_at = None
    queue(document)
    document.save()
    return document
