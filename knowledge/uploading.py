"""Documents from files: taken and stored here, read later by a worker (`knowledge.reading`)."""

from collections.abc import Mapping
from typing import Any

from knowledge.documents import add_version, check, place, queue
from knowledge.files import storing
from knowledge.files.recognising import clean_name, recognise, title_of
from knowledge.models import Document, DocumentStatus, StoredFile


def upload(
    name: str,
    data: bytes,
    *,
    title: str | None = None,
    category: str | None = None,
    collection: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    external_id: str | None = None,
) -> Document:
    """Create a document from a file, or bring the one of this `external_id` up to date (a deleted one comes back).

    The document is pending: a worker reads the file, and what is wrong inside it is then the document's `error`.
    Without a `title` it gets the file's own, and until that is known one made from `name`. The same file again changes
    nothing but the other fields; the status says whether there is anything to do. Call it inside `acting_as`.

    Raises UnsupportedType where no such file is read, and InvalidInput naming `file` (empty, too large, not what its
    name says) or another field that is not allowed.
    """
    name = clean_name(name)
    recognise(name, data)
    fields = {
        "category": category or "",
        "collection": collection or "",
        "metadata": dict(metadata or {}),
    }
    given = {} if title is None else {"title": title}
    check(external_id=external_id, **given, **fields)
    shown = title or title_of(name)
    document, created, restored = place(shown, external_id, fields)
    file = storing.keep(data)
    if created or not _is_the_same(document, file, title):
        document.title = shown
        add_version(document, title or "", "", file=file, file_name=name)
        queue(document)
    elif restored or document.status == DocumentStatus.FAILED:
        queue(document)
    document.save()
    return document


def _is_the_same(document: Document, file: StoredFile, title: str | None) -> bool:
    newest = document.newest
    return newest.file_id == file.pk and not newest.url and title in (None, document.title)
