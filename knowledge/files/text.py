"""Web pages, markdown and plain text."""

import re
from typing import Final

from selectolax.lexbor import LexborHTMLParser

from knowledge.files.decoding import decode
from knowledge.files.outcome import Read, headed
from knowledge.html import shallow, to_markdown

CHARSET = re.compile(rb"""<meta[^>]{0,200}charset\s*=\s*["']?\s*([A-Za-z0-9_:.-]{1,40})""", re.IGNORECASE)
LOOKED_AT: Final = 4096
"""Bytes of a page in which its encoding must be named (the HTML standard has 1,024; pages exceed it)."""
TITLES: Final = ('meta[property="og:title"]', "title", "h1")


def read_html(data: bytes, declared: str) -> Read:
    """A page's visible text. Its encoding is the one `declared` (by a server), else the one it names itself."""
    named = CHARSET.search(data[:LOOKED_AT])
    page = decode(data, declared or (named[1].decode() if named else ""))
    return Read(to_markdown(page), _page_title(page))


def read_markdown(data: bytes, declared: str) -> Read:
    """Markdown as it is; its title is the heading it begins with."""
    return headed(decode(data, declared))


def _page_title(page: str) -> str:
    tree = LexborHTMLParser(shallow(page))
    for selector in TITLES:
        node = tree.css_first(selector)
        words = (
            (node.attributes.get("content") if selector.startswith("meta") else node.text()) if node else ""
        )
        if words and words.strip():
            return " ".join(words.split())
    return ""
