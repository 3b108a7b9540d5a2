"""Parsing: what readers see comes through, what they do not see does not."""

import time

import pytest

from kernel.errors import InvalidInput
from knowledge.language import detect, stemmer
from knowledge.parse import parse

PAGE = """<!doctype html><html><head><title>T</title><style>p{color:red}</style></head><body>
<nav>Home | Shop</nav><h1>Returns <em>made easy</em></h1>
<p>You may return <b>anything</b>, see <a href="https://acme.com/r">the form</a>
or <a href="javascript:x()">this</a>.</p>
<ul><li>within 60 days<li><p>complete</p><ol><li>box<li>cable</ol></ul>
<table><tr><th>Country</th><th>Cost</th></tr><tr><td><p>NL</p></td><td>0<br>EUR</td></tr></table>
<pre>line one
  line two</pre>
<div hidden>secret one</div><p style="display: none">secret two</p><span aria-hidden="true">secret three</span>
<script>steal()</script><noscript>no script</noscript><footer>Imprint</footer></body></html>"""


def test_a_web_page_becomes_markdown():
    text = parse(PAGE).text
    assert text.startswith(
        "# Returns *made easy*\n\nYou may return **anything**, see [the form](https://acme.com/r) or this."
    )
    assert "- within 60 days\n- complete" in text
    assert "  1. box\n  2. cable" in text
    assert "| Country | Cost |\n| --- | --- |\n| NL | 0 EUR |" in text
    assert "```\nline one\n  line two\n```" in text


@pytest.mark.parametrize("unseen", ["secret", "steal", "Imprint", "Home", "color", "no script", "javascript"])
def test_what_readers_do_not_see_is_dropped(unseen):
    assert unseen not in parse(PAGE).text


def test_markdown_loses_anchors_comments_and_escapes_but_code_keeps_all():
    source = 'Press *OK*\\.<a name="x"></a> <!-- note -->\n\n```\na\\.b <b>\n```\n\n`c\\.d`'
    assert parse(source).text == "Press *OK*.\n\n```\na\\.b <b>\n```\n\n`c\\.d`"


def test_unprintable_characters_go():
    assert parse("a\x00b\x07c\u200bd\u202ee\ud800f\r\ng\u00a0h").text == "abcdef\ng h"


def test_text_in_angle_brackets_is_not_taken_for_a_page():
    assert parse("Use <region> and 1 < 2 > 0.").text == "Use <region> and 1 < 2 > 0."


@pytest.mark.parametrize(
    "content", ["", " \n\t", "\x00\x01", "***", "<html><script>x=1</script></html>", "<!-- hi -->"]
)
def test_a_document_without_text_is_refused(content):
    with pytest.raises(InvalidInput) as refused:
        parse(content)
    assert refused.value.errors[0].field == "content"


@pytest.mark.parametrize(
    "content",
    ["<html>" + "<div>" * 200_000 + "text", "<html>" + "<ul><li>" * 40_000 + "text", "x <!--" * 500_000,
     "<a " * 500_000 + "x", "\\`" * 1_000_000 + "x", " " * 3_000_000 + "x", "a\n \n" * 500_000,
     "<html><table>" + "<tr><td>x</td>" * 100_000],
    ids=["deep", "deep lists", "open comments", "open tags", "escapes", "spaces", "blank lines", "table"],
)  # fmt: skip
def test_hostile_documents_take_linear_time(content):
    started = time.process_time()
    assert parse(content).text
    assert time.process_time() - started < 8


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("How do I reset the hub to its factory settings?", "en"),
        ("Wie beende ich die Fahrt und was kostet falsches Parken?", "de"),
        ("Comment puis-je annuler mon abonnement dans le compte ?", "fr"),
        ("¿Cómo puedo cancelar la suscripción de mi cuenta?", "es"),
        ("Как я могу отменить подписку и где мой заказ?", "ru"),
        ("SKU 4711 XR-20", ""),
        ("", ""),
    ],
)
def test_the_language_is_told_by_common_words(text, language):
    assert detect(text) == language


def test_every_language_has_its_stemmer_and_others_the_default():
    assert (stemmer("de"), stemmer(""), stemmer("xx")) == ("german", "english", "english")
