"""What reading a file comes to."""

import re
from typing import NamedTuple

FIRST_HEADING = re.compile(r"\s*#[ \t]+([^\r\n]{1,300})")


class Read(NamedTuple):
    """A file's text as markdown, and the title that it gives itself, or nothing."""

    text: str
    title: str


class CannotRead(Exception):
    """The file cannot be read, now or later; the text is a sentence about it that begins small: "it has no text"."""


def headed(text: str, otherwise: str = "") -> Read:
    """Markdown whose title is the first-level heading that it begins with, `otherwise` where there is none."""
    found = FIRST_HEADING.match(text[:2000])
    return Read(text, (found[1].strip(" #*\t") if found else "") or otherwise)
