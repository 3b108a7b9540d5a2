"""Web pages to markdown: the text a reader sees, with its headings, lists, tables, code and links."""

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

PAGE = re.compile(r"\s*(?:<!doctype\s+html|<html[\s>]|<head[\s>]|<body[\s>])", re.IGNORECASE)
BLOCK_TAG = re.compile(r"<(?:p|div|h[1-6]|ul|ol|table|section|article)(?:\s[^<>]*)?>", re.IGNORECASE)
HIDDEN = re.compile(r"(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)
SPACES = re.compile(r"\s+")

UNREAD = frozenset({
    "aside", "audio", "button", "canvas", "dialog", "embed", "footer", "form", "head", "header", "iframe",
    "input", "link", "meta", "nav", "noscript", "object", "option", "script", "select", "style", "svg",
    "template", "textarea", "title", "video",
})  # fmt: skip
PARAGRAPHS = frozenset({
    "address", "article", "blockquote", "body", "center", "dd", "details", "div", "dl", "dt", "fieldset",
    "figcaption", "figure", "main", "p", "section", "summary", "ul", "ol", "table", "tbody", "thead", "tfoot",
})  # fmt: skip
HEADINGS = {f"h{level}": "#" * level for level in range(1, 7)}
EMPHASIS = {"strong": "**", "b": "**", "em": "*", "i": "*", "code": "`", "kbd": "`", "samp": "`"}
MAX_LIST_DEPTH = 6
MAX_DEPTH = 400
"""Browsers stop at 512. The parser looks through the open elements at every tag: without an end, quadratic time."""
TAG = re.compile(r"<(/?)([a-zA-Z][a-zA-Z0-9-]*)[^<>]*>")
NEVER_NESTED = frozenset({
    "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "track", "wbr", "p",
    "li", "dt", "dd", "td", "th", "tr", "tbody", "thead", "tfoot", "option",
})  # fmt: skip


def looks_like_html(text: str) -> bool:
    """Whether `text` is a web page or a piece of one rather than markdown with a tag in it."""
    start = text[:2_000]
    return PAGE.match(start) is not None or (
        start.lstrip().startswith("<") and len(BLOCK_TAG.findall(text[:20_000])) >= 2
    )


def to_markdown(html: str) -> str:
    """The visible text of `html` as markdown. Never raises: what is not HTML comes out as its text."""
    root = LexborHTMLParser(shallow(html)).body
    return "".join(_Writer().write(root)) if root is not None else ""


def shallow(html: str) -> str:
    """`html` without the tags that would nest deeper than MAX_DEPTH, and with all of its text."""
    depth = 0

    def keep(tag: re.Match[str]) -> str:
        nonlocal depth
        if tag[2].lower() in NEVER_NESTED:
            return tag[0]
        if not tag[1]:
            depth += 1
            return tag[0] if depth <= MAX_DEPTH else " "
        depth = max(depth - 1, 0)
        return tag[0] if depth < MAX_DEPTH else " "

    return TAG.sub(keep, html)


class _Writer:
    """Walks the tree with a stack of its own, because a page can be nested deeper than Python may recurse."""

    def __init__(self) -> None:
        self.out: list[str] = []
        self.lists: list[int] = []
        self.verbatim = 0
        self.first_row = False
        self.cells: list[int] = []

    def write(self, root: LexborNode) -> list[str]:
        for node, entering in _visit(root):
            tag = node.tag or ""
            if tag == "-text":
                self._text(node.text_content or "")
            elif entering:
                self._open(node, tag)
            else:
                self._shut(node, tag)
        return self.out

    def _text(self, text: str) -> None:
        if self.verbatim:
            self.out.append(text)
            return
        text = SPACES.sub(" ", text)
        if not self.out or self.out[-1].endswith(("\n", " ")):
            text = text.lstrip(" ")
        if text:
            self.out.append(text)

    def _open(self, node: LexborNode, tag: str) -> None:
        if tag in HEADINGS:
            self.out.append(f"\n\n{HEADINGS[tag]} ")
        elif tag == "pre":
            self.verbatim += 1
            self.out.append("\n\n```\n")
        elif tag in ("ul", "ol"):
            self.lists.append(0 if tag == "ol" else -1)
            self.out.append("\n" if len(self.lists) > 1 else "\n\n")
        elif tag == "li":
            self._item()
        elif tag == "tr":
            self.out.append("\n| ")
        elif tag == "table":
            self.first_row = True
            self.out.append("\n\n")
        elif tag in ("td", "th"):
            self.cells.append(len(self.out))
        elif tag == "br":
            self.out.append("\n")
        elif tag == "a":
            self.out.append("[" if _link(node) else "")
        elif tag in PARAGRAPHS:
            self._paragraph()
        elif tag in EMPHASIS and not self.verbatim:
            self.out.append(EMPHASIS[tag])

    def _shut(self, node: LexborNode, tag: str) -> None:
        if tag in HEADINGS:
            self.out.append("\n\n")
        elif tag == "pre":
            self.verbatim -= 1
            self.out.append("\n```\n\n")
        elif tag in ("ul", "ol"):
            if self.lists:
                self.lists.pop()
            self.out.append("\n" if self.lists else "\n\n")
        elif tag in ("td", "th") and self.cells:
            # A cell is one line, whatever blocks are in it.
            start = self.cells.pop()
            text = SPACES.sub(" ", "".join(self.out[start:])).strip()
            self.out[start:] = [text.replace("|", "\\|") if not self.cells else text, " | "]
        elif tag == "tr":
            if self.first_row:
                self.first_row = False
                columns = sum(1 for child in node.iter() if child.tag in ("td", "th"))
                self.out.append("\n|" + " --- |" * max(columns, 1))
        elif tag == "a":
            href = _link(node)
            self.out.append(f"]({href})" if href else "")
        elif tag in PARAGRAPHS:
            self._paragraph()
        elif tag in EMPHASIS and not self.verbatim:
            self.out.append(EMPHASIS[tag])

    def _item(self) -> None:
        indent = "  " * (min(len(self.lists), MAX_LIST_DEPTH) - 1)
        mark = "- "
        if self.lists and self.lists[-1] >= 0:
            self.lists[-1] += 1
            mark = f"{self.lists[-1]}. "
        self.out.append(f"\n{indent}{mark}")

    def _paragraph(self) -> None:
        # Inside a list item a blank line would end the list.
        if not self.lists:
            self.out.append("\n\n")
        elif not self.out[-1].endswith(" "):
            self.out.append(" ")


def _visit(root: LexborNode) -> Iterator[tuple[LexborNode, bool]]:
    """Every readable node on the way in, and every element again on the way out."""
    stack = [(root, True)]
    while stack:
        node, entering = stack.pop()
        yield node, entering
        if not entering or node.tag == "-text":
            continue
        stack.append((node, False))
        children = [child for child in node.iter(include_text=True) if _readable(child)]
        stack.extend((child, True) for child in reversed(children))


def _readable(node: LexborNode) -> bool:
    tag = node.tag or ""
    if tag == "-text":
        return True
    if tag in UNREAD or tag.startswith(("-", "_", "!")):
        return False
    attributes = node.attributes
    return not (
        "hidden" in attributes
        or attributes.get("aria-hidden") == "true"
        or HIDDEN.search(attributes.get("style") or "")
    )


def _link(node: LexborNode) -> str:
    href = (node.attributes.get("href") or "").strip()
    return (
        href if href.startswith(("https://", "http://", "mailto:")) and not re.search(r"[\s()]", href) else ""
    )
