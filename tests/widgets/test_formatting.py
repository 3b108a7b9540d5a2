"""Answers as HTML on the admin's pages: readable, and harmless whatever is in them."""

import re
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.inbox.formatting import as_html

HARMLESS = {
    "p", "br", "hr", "em", "strong", "a", "ul", "ol", "li", "blockquote", "code", "pre", "h1", "h2", "h3", "h4", "h5",
    "h6", "table", "thead", "tbody", "tr", "th", "td",
}  # fmt: skip
ATTRIBUTES = {"href", "rel", "target", "title", "start", "style", "class"}
HOSTILE = [
    "<script>alert(1)</script>", "<img src=x onerror=alert(1)>", "![x](https://tracker.example/p.gif)",
    "[x](javascript:alert(1))", "[x](JaVaScRiPt:alert(1))", "[x](data:text/html;base64,PHNjcmlwdD4=)",
    "[x](vbscript:msgbox)", "<javascript:alert(1)>", "[x]: javascript:alert(1)\n\n[x]", "[x](/admin/logout/)",
    "[x](//evil.example)", '[x](https://a.example "\\" onmouseover=\\"alert(1)")',
    "```\"><script>alert(1)</script>\n```",
    "| a |\n|---|\n| <svg onload=alert(1)> |", "`<b>`", "<https://a.example/\"><script>x</script>>",
]  # fmt: skip


class Reader(HTMLParser):
    """Notes what a browser would make of it."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))


def harmless(html):
    reader = Reader()
    reader.feed(html)
    for tag, attributes in reader.found:
        assert tag in HARMLESS, tag
        assert attributes.keys() <= ATTRIBUTES, attributes
        if tag == "a":
            assert re.match(r"(https?://|mailto:|#$)", attributes["href"], re.IGNORECASE), attributes
            assert "noopener" in attributes["rel"]
        assert re.fullmatch(r"text-align:(left|right|center)", attributes.get("style", "text-align:left"))


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_hostile_is_only_text(text):
    harmless(as_html(text))


@given(st.text(alphabet="<>[]()!\"'`*_#|-:/\\ \nabjscript=&;.0", max_size=200))
def test_no_text_makes_more_than_formatting(text):
    harmless(as_html(text))


def test_what_answers_are_made_of_is_readable():
    html = as_html("From *Guide*:\n\n> 1. Choose **Add hub**.\n\n- [Guide](https://acme.example/guide)")
    for piece in (
        "<em>Guide</em>",
        "<blockquote>",
        "<ol>",
        "<strong>Add hub</strong>",
        'href="https://acme.example/guide"',
    ):
        assert piece in html
