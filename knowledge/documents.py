"""What may be done with documents: save, change, delete. Each runs inside `acting_as` and enqueues its own work."""

import hashlib
import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson
from django.db import IntegrityError, transaction
from django.db.models import Max

from kernel.errors import Conflict, FieldError, InvalidInput, NotFound
from knowledge import ingest, publishing
from knowledge.models import Document, DocumentStatus, DocumentVersion

MAX_CONTENT: Final = 10 * 1024 * 1024
MAX_TITLE, MAX_LABEL, MAX_EXTERNAL_ID, MAX_METADATA = 300, 100, 500, 64 * 1024
KEPT_VERSIONS: Final = 10
UNSET: Final = "\0"
"""Says "leave it as it is" where None and "" mean something."""


class Saved(NamedTuple):
    """What became of a document. `queued`: its text is new and will be found once it is processed."""

    document: Document
    created: bool
    queued: bool


def save_document(
    *,
    title: str,
    content: str,
    category: str = "",
    collection: str = "",
    metadata: Mapping[str, Any] | None = None,
    external_id: str | None = None,
) -> Saved:
    """Create a document, or bring the one of this `external_id` up to date (a deleted one comes back).

    The same title and content again write no version and cost nothing; the other fields are always set. Raises
    InvalidInput naming each field that is not allowed.
    """
    fields = {"category": category, "collection": collection, "metadata": dict(metadata or {})}
    _check(title=title, content=content, external_id=external_id, **fields)
    if external_id is None:
        document, created = Document.objects.create(title=title, **fields), True
    else:
        document, created = _by_external_id(external_id, title, fields)
    restored = document.is_deleted
    for name, value in fields.items():
        setattr(document, name, value)
    document.deleted_at = None
    queued = _take_text(document, title, content) or (restored and _queue(document))
    document.save()
    return Saved(document, created, queued)


def change_document(
    document_id: uuid.UUID,
    *,
    title: str = UNSET,
    content: str = UNSET,
    category: str = UNSET,
    collection: str = UNSET,
    metadata: Mapping[str, Any] | None = None,
    external_id: str | None = UNSET,
) -> Saved:
    """Change what is given of a document. A new title or content is a new version. Raises NotFound, InvalidInput, and
    Conflict where the external_id is another document's."""
    document = _locked(document_id)
    given = {"category": category, "collection": collection, "external_id": external_id, "metadata": metadata}
    changed = {
        name: value
        for name, value in given.items()
        if value is not UNSET and not (name == "metadata" and value is None)
    }
    new_title = document.title if title is UNSET else title
    new_content = document.content if content is UNSET else content
    _check(title=new_title, content=new_content, **changed)
    for name, value in changed.items():
        setattr(document, name, value)
    queued = _take_text(document, new_title, new_content)
    try:
        with transaction.atomic():
            document.save()
    except IntegrityError as error:
        raise Conflict(
            f"Another document has the external_id {external_id!r}.", code="external_id_taken"
        ) from error
    return Saved(document, False, queued)


def delete_document(document_id: uuid.UUID) -> None:
    """Take a document out of search at once. It can be restored by sending it again. Raises NotFound."""
    document = _locked(document_id)
    document.mark_deleted()
    publishing.withdraw(document)
    ingest.forget(document.pk)


def retry_document(document_id: uuid.UUID) -> Document:
    """Process a document's newest version again, as after a failure. Raises NotFound."""
    document = _locked(document_id)
    _queue(document)
    document.save()
    return document


def _by_external_id(external_id: str, title: str, fields: dict[str, Any]) -> tuple[Document, bool]:
    existing = Document.objects.select_for_update().filter(external_id=external_id).first()
    if existing is not None:
        return existing, False
    try:
        with transaction.atomic():
            return Document.objects.create(title=title, external_id=external_id, **fields), True
    except IntegrityError:
        # Somebody else sent the same external_id a moment ago and has committed by now.
        return Document.objects.select_for_update().get(external_id=external_id), False


def _locked(document_id: uuid.UUID) -> Document:
    document = Document.objects.present().select_for_update().filter(pk=document_id).first()
    if document is None:
        raise NotFound(f"There is no document {document_id}.")
    return document


def _take_text(document: Document, title: str, content: str) -> bool:
    """Make title and content the newest version, unless they are already; whether there is work to do now."""
    digest = hashlib.sha256(f"{title}\0{content}".encode()).hexdigest()
    if document.content_sha256 == digest:
        # Sent again after a failure: the same version gets another chance.
        return document.status == DocumentStatus.FAILED and _queue(document)
    document.title, document.content_sha256 = title, digest
    newest = document.versions.aggregate(newest=Max("number"))["newest"] or 0
    document.latest = newest + 1
    DocumentVersion.objects.create(
        document=document, number=document.latest, title=title, content=content, content_sha256=digest
    )
    # The published version stays whatever its age: its title is needed to take it out of the keyword index.
    document.versions.filter(number__lte=document.latest - KEPT_VERSIONS).exclude(
        number=document.version
    ).delete()
    return _queue(document)


def _queue(document: Document) -> bool:
    document.status, document.error, document.progress = DocumentStatus.PENDING, "", 0.0
    ingest.enqueue(document.pk)
    return True


def _check(**fields: Any) -> None:
    errors = [
        FieldError(name, message) for name, value in fields.items() if (message := _complaint(name, value))
    ]
    if errors:
        raise InvalidInput("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)


def _complaint(name: str, value: Any) -> str:
    """What is wrong with a field, as a sentence about what is allowed; empty where nothing is."""
    if name == "title":
        return _text_complaint(value, MAX_TITLE, blank=False)
    if name == "content":
        if len(value.encode("utf-8", "surrogatepass")) > MAX_CONTENT:
            return f"must have at most {MAX_CONTENT // 1024 // 1024} MB of UTF-8"
        return "" if any(map(str.isalnum, value)) else "has no readable text"
    if name in ("category", "collection"):
        return _text_complaint(value, MAX_LABEL, blank=True)
    if name == "external_id":
        return "" if value is None else _text_complaint(value, MAX_EXTERNAL_ID, blank=False)
    if name == "metadata":
        return _metadata_complaint(value)
    return ""


def _text_complaint(value: str, longest: int, *, blank: bool) -> str:
    if len(value) > longest or (not blank and not value.strip()):
        return f"must have {0 if blank else 1} to {longest} characters"
    return "must not hold NUL characters" if "\0" in value else ""


def _metadata_complaint(value: Mapping[str, Any]) -> str:
    try:
        encoded = orjson.dumps(value)
    except (TypeError, ValueError):
        return "must be a JSON object"
    if len(encoded) > MAX_METADATA:
        return f"must have at most {MAX_METADATA // 1024} KB as JSON"
    if b"\\u0000" in encoded:
        return "must not hold NUL characters"
    url = value.get("url")
    if url is not None and not (isinstance(url, str) and url.startswith(("http://", "https://", "/"))):
        return "url must be a web address (http or https) or a path"
    return ""
