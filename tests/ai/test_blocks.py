"""Cutting passages into blocks."""

from hypothesis import given
from hypothesis import strategies as st

from ai.chat.blocks import blocks, sentences

MARKDOWN = """# Opening hours

We are open all week. Come by
whenever you like.

## Prices

These are our plans:

| Plan | Price |
| --- | --- |
| Starter | 10 |
| Business | 99 |

To change it:
1. Open *Settings*.

   Wait a moment.
2. Choose a plan:
   - Starter
   - Business

Then pay.

```sh
pay --plan business

# not a heading
```
"""


def test_markdown() -> None:
    assert [
        (b.kind, b.heading, b.fixed, b.text.split("\n")[0], b.text.split("\n")[-1]) for b in blocks(MARKDOWN)
    ] == [
        ("paragraph", "Opening hours", 0, "We are open all week. Come by", "whenever you like."),
        ("table", "Prices", 4, "These are our plans:", "| Business | 99 |"),
        ("list", "Prices", 1, "To change it:", "   - Business"),
        ("paragraph", "Prices", 0, "Then pay.", "Then pay."),
        ("code", "Prices", 0, "```sh", "```"),
    ]


def test_positions_are_places_in_the_list() -> None:
    assert [block.position for block in blocks(MARKDOWN)] == [0, 1, 2, 3, 4]


def test_plain_text_is_paragraphs() -> None:
    assert [b.text for b in blocks("One.\n\n\nTwo.\nStill two.\n")] == ["One.", "Two.\nStill two."]


def test_an_open_fence_ends_with_the_passage() -> None:
    assert [(b.kind, b.text) for b in blocks("```\na\n\nb")] == [("code", "```\na\n\nb")]


LINES = ["", "# H", "text:", "- item", "  more", "| a | b |", "```", "1. one", "x\r"]


@given(st.lists(st.sampled_from(LINES), max_size=14))
def test_every_line_is_kept_verbatim_and_in_order(lines: list[str]) -> None:
    content = "\n".join(lines)
    at = 0
    for block in blocks(content):
        at = content.index(block.text, at) + len(block.text)
        assert block.text.strip()
    kept = "\n".join(block.text for block in blocks(content))
    for line in lines:
        if line and not line.startswith("#"):
            assert line in kept


@given(st.text())
def test_sentences_joined_are_the_text(text: str) -> None:
    assert "".join(sentences(text)) == text


def test_sentences_of_two_scripts() -> None:
    assert sentences('He said "no." Then left! 一。二。') == ['He said "no." ', "Then left! ", "一。", "二。"]
