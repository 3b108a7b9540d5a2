"""What people send becomes clean markdown: the form that chunks, quotes and search work on."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from kernel.errors import InvalidInput
from knowledge.html import looks_like_html, to_markdown
from knowledge.language import detect

Format = Literal["text", "markdown", "html"]

# Everything that is not printable but tab and newline; PostgreSQL cannot store NUL at all. Also the marks that turn
# text around or have no width, which only hide things from a reader, and lone surrogates.
UNPRINTABLE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2069\ufeff\ufffe\uffff\ud800-\udfff]"
)
ESCAPED = re.compile(r"\\([!-/:-@\[-`{-~])")
INLINE_TAG = re.compile(
    r"</?(?:a|abbr|b|big|br|center|details|div|em|font|i|img|kbd|p|small|span|strong|sub|summary|sup|u)(?:\s[^<>]*)?/?>",
    re.IGNORECASE,
)  # fmt: skip
BLANK_LINES = re.compile(r"\n{3,}")


@dataclass(frozen=True, slots=True)
class Parsed:
    """A document's text as markdown, and its language as an ISO 639-1 code or "" where we cannot tell."""

    text: str
    language: str


def parse(content: str, *, format: Format | None = None) -> Parsed:
    """Clean `content`. Without a format, what looks like a web page is read as HTML and the rest as markdown.

    Scripts, styles, navigation and hidden parts of HTML are dropped; NUL, control and invisible characters of anything.
    Raises InvalidInput on `content` where no readable text is left.
    """
    chosen: Format = format or ("html" if looks_like_html(content) else "markdown")
    text = printable(content)
    if chosen == "html":
        text = to_markdown(text)
    elif chosen == "markdown":
        text = _plain_markdown(text)
    text = without_gaps(text)
    if not any(character.isalnum() for character in text):
        raise InvalidInput.of("content", "has no readable text")
    return Parsed(text, detect(text))


def without_gaps(text: str) -> str:
    """`text` without blanks at the ends of lines and more than one blank line in a row."""
    return BLANK_LINES.sub("\n\n", "\n".join(line.rstrip() for line in text.split("\n"))).strip("\n")


def printable(text: str) -> str:
    """`text` without control and invisible characters, in one form of Unicode and of line ends: any text fits into the
    database then."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").replace("\u2028", "\n").replace("\u2029", "\n\n")
    return unicodedata.normalize("NFC", UNPRINTABLE.sub("", text).replace("\u00a0", " "))


def _plain_markdown(text: str) -> str:
    """Markdown without comments, inline HTML and backslash escapes; code keeps every character."""
    lines: list[str] = []
    fence = ""
    for line in _without_comments(text).split("\n"):
        start = line.lstrip()
        if fence:
            if start.startswith(fence) and not start.strip("`~ \t"):
                fence = ""
        elif start.startswith(("```", "~~~")):
            fence = start[:3]
        elif "\\" in line or "<" in line:
            # Even parts are outside `code`.
            parts = line.split("`")
            parts[::2] = [ESCAPED.sub(r"\1", INLINE_TAG.sub("", part)) for part in parts[::2]]
            line = "`".join(parts)
        lines.append(line)
    return "\n".join(lines)


def _without_comments(text: str) -> str:
    kept: list[str] = []
    start = 0
    while (opening := text.find("<!--", start)) >= 0:
        closing = text.find("-->", opening + 4)
        if closing < 0:
            break
        kept.append(text[start:opening])
        start = closing + 3
    return "".join(kept) + text[start:]
