"""Gives a version that came as a file or an address its text: the worker's part. The page is fetched through the one
way out, and the file is read by a process of its own."""

import re

from kernel.errors import InvalidInput, UnsupportedType
from knowledge import events
from knowledge.fetching import Page, fetch_page
from knowledge.files import storing
from knowledge.files.extracting import extract
from knowledge.files.outcome import Read
from knowledge.files.recognising import recognise, title_of
from knowledge.models import MAX_TITLE, Document, DocumentStatus, DocumentVersion
from knowledge.parse import printable, without_gaps
from tenants.context import TenantRef, acting_as

# What programs write into a title when nobody gave one.
JUNK = re.compile(
    r"untitled.*|document ?\d*|microsoft (?:word|powerpoint|excel) ?- .*|.*\.(?:docx?|pdf|indd|tex|pages|odt|rtf|txt)",
    re.IGNORECASE,
)


def read(tenant: TenantRef, version: DocumentVersion) -> DocumentVersion | None:
    """The version with its text and title. None where there is nothing left to do: the document is gone, has a newer
    version, or search finds this very text already.

    Call it outside any transaction. Raises InvalidInput with a sentence for the document's owner where the file cannot
    be read, and OutboundError where a page cannot be fetched.
    """
    source = _fetched(tenant, version) if version.url else _stored(tenant, version)
    if source is None:
        return None
    found = extract(source.name, recognise(source.name, source.data), source.data, charset=source.charset)
    text, title = without_gaps(printable(found.text)), _own_title(found) or title_of(source.name)
    if not any(map(str.isalnum, text)):
        raise InvalidInput.of("file", f"“{source.name}” has no readable text")
    with acting_as(tenant):
        return _settle(version, text, title)


def _stored(tenant: TenantRef, version: DocumentVersion) -> Page:
    if version.file is None:
        raise InvalidInput.of("file", "there is no file to read")
    try:
        return Page(version.file_name, storing.contents(tenant, version.file.sha256), "")
    except FileNotFoundError:
        message = f"“{version.file_name}” is not in the store any more: send it again"
        raise InvalidInput.of("file", message) from None


def _fetched(tenant: TenantRef, version: DocumentVersion) -> Page | None:
    """The page as it is now, kept as the version's file. None where the version is gone meanwhile."""
    page = fetch_page(version.url)
    try:
        recognise(page.name, page.data)
    except UnsupportedType as error:
        raise InvalidInput.of("url", error.detail) from None
    with acting_as(tenant):
        current = DocumentVersion.objects.select_for_update().filter(pk=version.pk).first()
        if current is None:
            return None
        replaced = current.file_id
        current.file, current.file_name = storing.keep(page.data), page.name
        current.save(update_fields=["file", "file_name", "updated_at"])
        storing.release([replaced])
    return page


def _own_title(found: Read) -> str:
    title = " ".join(printable(found.title).split())[:MAX_TITLE]
    return "" if JUNK.fullmatch(title) or not any(map(str.isalnum, title)) else title


def _settle(version: DocumentVersion, text: str, title: str) -> DocumentVersion | None:
    """Write down what was read, while the document stands still."""
    document = Document.objects.present().select_for_update().filter(pk=version.document_id).first()
    if document is None or document.latest != version.number:
        return None
    # The row again: its title may have been chosen while the file was read.
    version = document.newest
    version.title, version.content = version.title or title[:MAX_TITLE], text
    version.content_sha256 = DocumentVersion.digest(version.title, text)
    published = document.versions.filter(number=document.version).first()
    document.title, document.content_sha256 = version.title, version.content_sha256
    if published is not None and published.content_sha256 == version.content_sha256:
        _same_again(document, published, version)
        return None
    document.save(update_fields=["title", "content_sha256", "updated_at"])
    version.save()
    return version


def _same_again(document: Document, published: DocumentVersion, version: DocumentVersion) -> None:
    """Another file, the same text: search has it already, and only where it comes from is new."""
    replaced = published.file_id
    published.file, published.file_name, published.url = version.file, version.file_name, version.url
    published.save()
    version.delete()
    document.latest = document.version
    document.status, document.error, document.progress = DocumentStatus.READY, "", 1.0
    document.save()
    events.of_document(events.DOCUMENT_READY, document.pk)
    storing.release([replaced])
