"""Documents from files and from web addresses: taken here, read later by a worker (`knowledge.reading`)."""

from collections.abc import Mapping
from typing import Any

from kernel.addresses import check_url
from kernel.errors import InvalidInput
from knowledge.documents import MAX_EXTERNAL_ID, add_version, check, place, queue
from knowledge.files import storing
from knowledge.files.recognising import clean_name, recognise, title_of
from knowledge.models import MAX_TITLE, Document, DocumentStatus, StoredFile


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


def add_page(
    url: str,
    *,
    title: str | None = None,
    category: str | None = None,
    collection: str | None = None,
    metadata: Mapping[str, Any] | None = None,
    external_id: str | None = None,
) -> Document:
    """Create a document from the page at `url`, or fetch it again: without an `external_id` the address itself is it.

    The document is pending: a worker fetches the page, and what goes wrong is then the document's `error`. Where the
    text is the same as before, nothing else changes. Without a `title` it gets the page's own. Citations lead to `url`
    unless `metadata` names another. Call it inside `acting_as`. Raises InvalidInput naming `url` or another field.
    """
    check_url(url)
    if external_id is None and len(url) > MAX_EXTERNAL_ID:
        raise InvalidInput.of(
            "external_id", f"is needed where the url has more than {MAX_EXTERNAL_ID} characters"
        )
    fields = {
        "category": category or "",
        "collection": collection or "",
        "metadata": {"url": url, **(metadata or {})},
    }
    external_id = url if external_id is None else external_id
    given = {} if title is None else {"title": title}
    check(external_id=external_id, **given, **fields)
    document, created, _ = place(title or url[:MAX_TITLE], external_id, fields)
    if created or not _is_being_fetched(document, url):
        document.title = title or (url[:MAX_TITLE] if created else document.title)
        add_version(document, title or "", "", url=url)
        queue(document)
    document.save()
    return document


def _is_being_fetched(document: Document, url: str) -> bool:
    newest = document.newest
    return newest.is_unread and newest.url == url and document.is_under_way


def _is_the_same(document: Document, file: StoredFile, title: str | None) -> bool:
    newest = document.newest
    return newest.file_id == file.pk and not newest.url and title in (None, document.title)
