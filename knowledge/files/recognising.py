"""What kind of file somebody sent, by its name and by its content: the two must agree."""

import re
import unicodedata
from enum import Enum
from typing import Final

from kernel.errors import InvalidInput, UnsupportedType

MAX_FILE: Final = 10 * 1024 * 1024
MAX_NAME: Final = 200
"""Characters of a file's name that are kept."""


class Kind(Enum):
    """A kind of file that is read; its value is what people call it."""

    PDF = "PDF"
    DOCX = "Word document (.docx)"
    HTML = "web page"
    MARKDOWN = "Markdown text"
    TEXT = "text"
    CSV = "table (CSV)"


EXTENSIONS: Final = {
    "pdf": Kind.PDF, "docx": Kind.DOCX, "html": Kind.HTML, "htm": Kind.HTML, "md": Kind.MARKDOWN,
    "markdown": Kind.MARKDOWN, "txt": Kind.TEXT, "csv": Kind.CSV, "tsv": Kind.CSV,
}  # fmt: skip
MEDIA_TYPES: Final = {
    Kind.PDF: "application/pdf",
    Kind.DOCX: "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    Kind.HTML: "text/html",
    Kind.MARKDOWN: "text/markdown",
    Kind.TEXT: "text/plain",
    Kind.CSV: "text/csv",
}
READ: Final = "pdf, docx, html, md, txt and csv"

# What a file's first bytes say of it (the formats' own specifications).
SIGNATURES: Final = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file, or an encrypted one"),
    (b"{\\rtf", "a rich text file"),
    (b"\x89PNG", "a picture"), (b"\xff\xd8\xff", "a picture"), (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a compressed archive"), (b"7z\xbc\xaf\x27\x1c", "a compressed archive"),
    (b"Rar!", "a compressed archive"), (b"\x7fELF", "a program"), (b"MZ\x90", "a program"),
)  # fmt: skip
PDF_HEADER_WITHIN: Final = 1024
"""Readers accept a header within the first 1,024 bytes (ISO 32000-1, annex H.3.4.1)."""
UNSHOWN = re.compile("[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff\ud800-\udfff]")


def recognise(name: str, data: bytes) -> Kind:
    """The kind of the file `name`. Raises UnsupportedType where it is none that is read, and InvalidInput on `file`
    where it is empty, larger than MAX_FILE, or something other than its name says."""
    extension = name.rpartition(".")[2].lower() if "." in name else ""
    kind = EXTENSIONS.get(extension)
    if kind is None:
        shown = f"a .{extension}" if extension.isalnum() and len(extension) <= 10 else "of no known kind"
        raise UnsupportedType(f"{_quoted(name)} is {shown}; read are {READ}.")
    if not data:
        raise InvalidInput.of("file", f"{_quoted(name)} is empty")
    if len(data) > MAX_FILE:
        raise InvalidInput.of(
            "file", f"{_quoted(name)} is larger than {MAX_FILE // 1024 // 1024} MB; split it into parts"
        )
    found = _disguise(kind, data)
    if found:
        raise InvalidInput.of("file", f"{_quoted(name)} is not a {kind.value}: it is {found}")
    return kind


def clean_name(name: str) -> str:
    """`name` as it may be stored and shown: its last part, without what is invisible or turns text around, at most
    MAX_NAME characters with its extension kept. Never empty. It names nothing on our disk."""
    plain = UNSHOWN.sub("", unicodedata.normalize("NFC", UNSHOWN.sub("", name))).replace("\\", "/")
    last = plain.rpartition("/")[2].strip().strip('"') or "file"
    stem, dot, extension = last.rpartition(".")
    if not dot or len(extension) > 20:
        return last[:MAX_NAME]
    return f"{stem[: MAX_NAME - len(extension) - 1].rstrip() or 'file'}.{extension}"


def title_of(name: str) -> str:
    """A title from a file's name, for files without one of their own: `opening_hours-2026.pdf`: opening hours-2026."""
    stem = name.rpartition(".")[0] or name
    return stem.replace("_", " ").strip() or name


def _disguise(kind: Kind, data: bytes) -> str:
    """What `data` is instead of `kind`; empty where it may well be one."""
    looks = next((said for signature, said in SIGNATURES if data.startswith(signature)), "")
    if kind is Kind.PDF:
        if b"%PDF-" in data[:PDF_HEADER_WITHIN]:
            return ""
        return looks or "something without a PDF's header"
    if kind is Kind.DOCX:
        if data.startswith(b"PK\x03\x04"):
            return "" if b"word/" in data else "another kind of archive"
        return looks or "something without a Word document's header"
    if looks:
        return looks
    sample = data[:4096]
    if b"\0" in sample and not _is_wide_text(sample):
        return "binary data"
    return ""


def _is_wide_text(sample: bytes) -> bool:
    """Whether NUL bytes are there because the text is UTF-16 or UTF-32."""
    if sample.startswith((b"\xff\xfe", b"\xfe\xff", b"\0\0\xfe\xff")):
        return True
    zeros = sample.count(0)
    return zeros > len(sample) // 4 and (sample[::2].count(0) == 0 or sample[1::2].count(0) == 0)


def _quoted(name: str) -> str:
    return f"“{name}”"
