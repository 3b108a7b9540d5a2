"""What may be done with documents: save, change, delete. Each runs inside `acting_as` and enqueues its own work."""

import uuid
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import orjson
from django.db import IntegrityError, transaction
from django.db.models import Max

from kernel.errors import Conflict, FieldError, InvalidInput, NotFound
from knowledge import events, ingest, publishing, purging
from knowledge.files import storing
from knowledge.models import MAX_TITLE, Document, DocumentStatus, DocumentVersion
from tenants.auditing import record

MAX_CONTENT: Final = 10 * 1024 * 1024
MAX_LABEL, MAX_EXTERNAL_ID, MAX_METADATA = 100, 500, 64 * 1024
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
    check(title=title, content=content, external_id=external_id, **fields)
    document, created, restored = place(title, external_id, fields)
    queued = _take_text(document, title, content) or (restored and queue(document))
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
    texts = {name: value for name, value in (("title", title), ("content", content)) if value is not UNSET}
    check(**texts, **changed)
    for name, value in changed.items():
        setattr(document, name, value)
    queued = bool(texts) and _change_text(document, **texts)
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
    purging.promise(document.pk)
    events.of_document(events.DOCUMENT_DELETED, document.pk)


def retry_document(document_id: uuid.UUID) -> Document:
    """Process a document's newest version again, as after a failure. Raises NotFound."""
    document = _locked(document_id)
    queue(document)
    document.save()
    record("retried", document)
    return document


def place(title: str, external_id: str | None, fields: dict[str, Any]) -> tuple[Document, bool, bool]:
    """The document of this external_id with these fields, locked, or a new one; whether it is new; whether it was
    deleted and is back. What is not its text is set; the caller gives it a text and saves it."""
    if external_id is None:
        return Document.objects.create(title=title, **fields), True, False
    document, created = _by_external_id(external_id, title, fields)
    restored = document.is_deleted
    if restored:
        purging.forget(document.pk)
    for name, value in fields.items():
        setattr(document, name, value)
    document.deleted_at = None
    return document, created, restored


def add_version(document: Document, title: str, content: str, **origin: Any) -> None:
    """Make this the newest version and let the oldest go. `origin`: the file, file_name and url it comes from."""
    digest = DocumentVersion.digest(title, content) if content else ""
    newest = document.versions.aggregate(newest=Max("number"))["newest"] or 0
    document.content_sha256, document.latest = digest, newest + 1
    DocumentVersion.objects.create(
        document=document,
        number=document.latest,
        title=title,
        content=content,
        content_sha256=digest,
        **origin,
    )
    # The published version stays whatever its age: its title is needed to take it out of the keyword index.
    old = document.versions.filter(number__lte=document.latest - KEPT_VERSIONS).exclude(
        number=document.version
    )
    files = set(old.values_list("file_id", flat=True))
    old.delete()
    storing.release(files)


def queue(document: Document) -> bool:
    """Have the newest version processed when the transaction commits; always True. The caller saves the document."""
    document.status, document.error, document.progress = DocumentStatus.PENDING, "", 0.0
    ingest.enqueue(document.pk)
    return True


def check(**fields: Any) -> None:
    """Raise InvalidInput naming each of a document's fields that is not allowed."""
    errors = [
        FieldError(name, message) for name, value in fields.items() if (message := _complaint(name, value))
    ]
    if errors:
        raise InvalidInput("; ".join(f"{error.field}: {error.message}" for error in errors), errors=errors)


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


def _change_text(document: Document, *, title: str | None = None, content: str | None = None) -> bool:
    """Bring in what is given of title and content; whether there is work to do now."""
    newest = document.newest
    if newest.is_unread and content is None:
        # Its worker looks at the title again when it has read the file.
        newest.title = document.title = title or newest.title
        newest.save(update_fields=["title", "updated_at"])
        return False
    origin = {}
    if content is None or content == newest.content:
        content = newest.content
        origin = {"file": newest.file, "file_name": newest.file_name, "url": newest.url}
    return _take_text(document, document.title if title is None else title, content, **origin)


def _take_text(document: Document, title: str, content: str, **origin: Any) -> bool:
    """Make title and content the newest version, unless they are already; whether there is work to do now."""
    if document.content_sha256 == DocumentVersion.digest(title, content):
        # Sent again after a failure: the same version gets another chance.
        return document.status == DocumentStatus.FAILED and queue(document)
    document.title = title
    add_version(document, title, content, **origin)
    return queue(document)


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
