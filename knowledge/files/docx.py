"""A Word document's text: a ZIP archive of XML, which mammoth makes a web page with headings, lists and tables."""

import io
import re
import zipfile
import zlib
from typing import Any, Final

import mammoth

from knowledge.files.outcome import CannotRead, Read, headed
from knowledge.html import to_markdown

MAX_PARTS: Final = 5_000
MAX_XML: Final = 16 * 1024 * 1024
"""Bytes of XML, unpacked. mammoth takes 1 second and 20 MB for each MB of it (measured)."""
MAX_UNPACKED: Final = 200 * 1024 * 1024
"""Bytes of everything, unpacked; pictures are most of it, and are not read."""
MAX_RATIO: Final = 200
"""Unpacked by packed, of all parts together above MIN_SUSPECT bytes. Word's own files reach about 30."""
MIN_SUSPECT: Final = 4 * 1024 * 1024
# Word writes no document type; who does wants entities: expanding without end, or naming other files.
DOCTYPE = re.compile(rb"<!\s*(?:DOCTYPE|ENTITY)", re.IGNORECASE)
TITLE = re.compile(rb"<dc:title[^>]*>([^<]{1,1000})</dc:title>")
BROKEN: Final = "the Word document is broken: save it again in Word and send that"


def read_docx(data: bytes) -> Read:
    """The document as markdown, without its pictures. Raises CannotRead."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            _refuse_bombs(archive)
            title = _title(archive)
        converted = mammoth.convert_to_html(
            io.BytesIO(data),
            convert_image=mammoth.images.img_element(_no_picture),
            include_embedded_style_map=False,
            external_file_access=False,
        )
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        # RuntimeError is what zipfile says of a part with a password; RecursionError, of nesting, is one too.
        raise CannotRead(_why(error)) from None
    except (CannotRead, MemoryError):
        raise
    except Exception:
        # mammoth trusts what it reads: a missing attribute or part comes out as whatever Python raises.
        raise CannotRead(BROKEN) from None
    return headed(to_markdown(converted.value), title)


def _refuse_bombs(archive: zipfile.ZipFile) -> None:
    """The sizes are the archive's own word, and zipfile unpacks no more than they say."""
    parts = archive.infolist()
    if "word/document.xml" not in archive.NameToInfo:
        raise CannotRead("the archive holds no Word document")
    if len(parts) > MAX_PARTS:
        raise CannotRead(f"it has {len(parts):,} parts, and at most {MAX_PARTS:,} are read")
    whole, packed = sum(part.file_size for part in parts), sum(part.compress_size for part in parts)
    texts = [part for part in parts if part.filename.lower().endswith((".xml", ".rels"))]
    size = sum(part.file_size for part in texts)
    if size > MAX_XML:
        raise CannotRead(
            f"it unpacks to {size // 1024 // 1024:,} MB of text, and at most {MAX_XML // 1024 // 1024} MB are read"
        )
    if whole > MAX_UNPACKED or (whole > MIN_SUSPECT and whole > packed * MAX_RATIO):
        raise CannotRead(f"it unpacks to {whole // 1024 // 1024:,} MB, as no Word document does")
    for part in texts:
        unpacked = archive.read(part)
        # A second coding would hide the words that are looked for. Word writes UTF-8, and some programs UTF-16.
        if unpacked[:2] in (b"\xff\xfe", b"\xfe\xff"):
            unpacked = unpacked.decode("utf-16", "replace").encode()
        elif b"\0" in unpacked[:100]:
            raise CannotRead(BROKEN)
        if DOCTYPE.search(unpacked):
            raise CannotRead("its XML declares entities, as no Word document does")


def _title(archive: zipfile.ZipFile) -> str:
    try:
        found = TITLE.search(archive.read("docProps/core.xml"))
    except KeyError:
        return ""
    words = found[1].decode("utf-8", "replace") if found else ""
    for escaped, plain in (("&lt;", "<"), ("&gt;", ">"), ("&quot;", '"'), ("&apos;", "'"), ("&amp;", "&")):
        words = words.replace(escaped, plain)
    return " ".join(words.split())


def _no_picture(_: Any) -> dict[str, str]:
    return {}


def _why(error: Exception) -> str:
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if "password" in str(error) or "encrypted" in str(error):
        return "it is protected with a password: save it without one and send it again"
    return BROKEN
