"""The events of documents, and what is told of each: the document as REST lists show it, without its text."""

import uuid
from typing import Any, Final

from knowledge.models import Document
from tenants.webhooks.catalogue import EventType, event_type
from tenants.webhooks.publishing import publish

COLUMNS: Final = (
    "id", "title", "category", "collection", "metadata", "external_id", "status", "error", "progress", "version",
    "language", "created_at", "updated_at",
)  # fmt: skip
"""What a list shows of a document."""

DOCUMENT_READY: Final = event_type(
    "document.ready", "Search finds the newest text of a document.", schema="DocumentRow"
)
DOCUMENT_FAILED: Final = event_type(
    "document.failed",
    "The newest text of a document could not be processed; `error` says why. Search finds what it found before.",
    schema="DocumentRow",
)
DOCUMENT_DELETED: Final = event_type(
    "document.deleted", "A document was deleted; search finds it no more.", schema="DocumentRow"
)


def of_document(event: EventType, document_id: uuid.UUID) -> None:
    """Tell of a document of the acting tenant, as it stands."""
    publish(event, lambda: _row(document_id))


def _row(document_id: uuid.UUID) -> dict[str, Any]:
    row: dict[str, Any] = Document.objects.values(*COLUMNS).get(pk=document_id)
    return row
