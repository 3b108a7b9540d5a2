"""A PDF's text, page by page, with its outline as headings, through PDFium (measured.md section 7)."""

import re
from collections import Counter
from typing import Final

import pypdfium2
from pypdfium2 import raw

from knowledge.files.outcome import CannotRead, Read

MAX_PAGES: Final = 2_000
EDGE_LINES: Final = 2
"""How many lines at the top and at the bottom of a page may be running heads."""
RUNNING: Final = 0.6
"""A line is a running head if it stands on this share of the pages, whatever its numbers say."""
OUTLINE_LEVELS: Final = 3
# PDFium's mark for a hyphen that only breaks the line.
SOFT_BREAK = re.compile("[\ufffe\x02](?:\r?\n)?")
DIGITS = re.compile(r"\d+")


def read_pdf(data: bytes) -> Read:
    """The text with a heading for each page (`## Page 3`) below those of the outline. Raises CannotRead."""
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        if getattr(error, "err_code", None) in (raw.FPDF_ERR_PASSWORD, raw.FPDF_ERR_SECURITY):
            raise CannotRead(
                "it is protected with a password: save it without one and send it again"
            ) from None
        raise CannotRead("the PDF is broken: it cannot be opened") from None
    count = len(document)
    if count > MAX_PAGES:
        raise CannotRead(f"it has {count:,} pages, and at most {MAX_PAGES:,} are read: split it into parts")
    pages = [_lines(document, number) for number in range(count)]
    if not any(character.isalnum() for page in pages for line in page for character in line):
        raise CannotRead(
            "it has no text, only pictures (as a scan has): run text recognition (OCR) over it and send it again"
        )
    _drop_running_heads(pages)
    return Read(_as_markdown(pages, _outline(document)), _title(document))


def _lines(document: pypdfium2.PdfDocument, number: int) -> list[str]:
    try:
        page = document[number]
        textpage = page.get_textpage()
        text = textpage.get_text_range()
        textpage.close()
        page.close()
    except pypdfium2.PdfiumError:
        return []  # one broken page does not cost the others
    lines = SOFT_BREAK.sub("", text).replace("\r", "\n").split("\n")
    return [line for line in map(str.strip, lines) if line]


def _drop_running_heads(pages: list[list[str]]) -> None:
    """Take out the lines at the edges that most pages share: they would be found for every question."""
    if len(pages) < 4:
        return
    seen = Counter(shape for page in pages for shape in {DIGITS.sub("#", line) for line in _edges(page)})
    running = {shape for shape, times in seen.items() if times > len(pages) * RUNNING}
    for page in pages:
        for _ in range(EDGE_LINES):
            if page and DIGITS.sub("#", page[0]) in running:
                del page[0]
            if page and DIGITS.sub("#", page[-1]) in running:
                del page[-1]


def _edges(page: list[str]) -> list[str]:
    return page if len(page) <= 2 * EDGE_LINES else [*page[:EDGE_LINES], *page[-EDGE_LINES:]]


def _outline(document: pypdfium2.PdfDocument) -> dict[int, list[tuple[int, str]]]:
    """The outline's entries by page: level (0 is outermost) and words. Its first thousand are enough for anybody."""
    found: dict[int, list[tuple[int, str]]] = {}
    try:
        for at, entry in enumerate(document.get_toc(max_depth=OUTLINE_LEVELS)):
            target = entry.get_dest()
            words = " ".join((entry.get_title() or "").split())[:150]
            index = target.get_index() if target else None
            if at >= 1000:
                break
            if words and index is not None and index >= 0:
                found.setdefault(index, []).append((entry.level, words))
    except pypdfium2.PdfiumError:
        return found
    return found


def _as_markdown(pages: list[list[str]], outline: dict[int, list[tuple[int, str]]]) -> str:
    parts: list[str] = []
    depth = 1
    for number, lines in enumerate(pages):
        for level, words in outline.get(number, ()):
            depth = level + 2
            parts.append(f"{'#' * (depth - 1)} {words}")
        if lines:
            body = "\n".join(lines)
            parts.append(f"{'#' * max(depth, 2)} Page {number + 1}\n\n{body}")
    return "\n\n".join(parts)


def _title(document: pypdfium2.PdfDocument) -> str:
    try:
        return " ".join((document.get_metadata_value("Title") or "").split())
    except (pypdfium2.PdfiumError, UnicodeError):
        return ""
