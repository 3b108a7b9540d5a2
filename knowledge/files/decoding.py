"""Bytes to text: what the file itself says of its encoding, else UTF-8, else the best that can be said honestly."""

import codecs
from typing import Final

# Longest first: UTF-32's mark begins with UTF-16's.
MARKS: Final = (
    (codecs.BOM_UTF32_LE, "utf-32"), (codecs.BOM_UTF32_BE, "utf-32"), (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"), (codecs.BOM_UTF16_BE, "utf-16"),
)  # fmt: skip
LABELS: Final = {
    "iso-8859-1": "cp1252",
    "latin-1": "cp1252",
    "latin1": "cp1252",
    "ascii": "cp1252",
    "us-ascii": "cp1252",
}
"""What these labels mean in practice (WHATWG Encoding Standard, section 4.2)."""


def decode(data: bytes, declared: str = "") -> str:
    """`data` as text; never raises. In this order: byte order mark, UTF-16 without one (every other byte is NUL),
    UTF-8, the `declared` encoding where there is such a one and it fits, Windows-1252, Latin-1.

    An eight-bit encoding other than Windows-1252 cannot be told from it: it must be declared, or its accents and
    letters come out wrong.
    """
    for mark, encoding in MARKS:
        if data.startswith(mark):
            return data.decode(encoding, "replace")
    if _every_other_is_nul(data, 1):
        return data.decode("utf-16-le", "replace")
    if _every_other_is_nul(data, 0):
        return data.decode("utf-16-be", "replace")
    for encoding in ("utf-8", LABELS.get(declared.lower(), declared), "cp1252"):
        text = _strictly(data, encoding)
        if text is not None:
            return text
    return data.decode("latin-1")


def _every_other_is_nul(data: bytes, offset: int) -> bool:
    """Whether the text is mostly of Latin letters in UTF-16, whose high bytes stand at `offset`."""
    sample = data[:4096]
    high, low = sample[offset::2], sample[1 - offset :: 2]
    return len(high) > 1 and high.count(0) > len(high) * 0.6 and low.count(0) == 0


def _strictly(data: bytes, encoding: str) -> str | None:
    try:
        # A codec that is not one of text (zlib, base64: both are looked up by name) could expand without end.
        found = codecs.lookup(encoding) if encoding.isascii() and len(encoding) <= 40 else None
        if (
            found is None
            or not getattr(found, "_is_text_encoding", True)
            or found.name in ("idna", "punycode")
        ):
            return None
        return data.decode(encoding)
    except (LookupError, ValueError, OSError):
        # ValueError is what does not fit; OSError, a codec that a confined process cannot load any more.
        return None
