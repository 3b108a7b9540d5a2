"""Splitting: nothing is lost, sizes hold, structure is kept, and hostile input takes linear time."""

import re
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from knowledge.blocks import Kind, read
from knowledge.split import LARGEST, MAX_PATH, split

WORDS = re.compile(r"\w+")
LINES = st.sampled_from(
    ["# Top", "## Part", "### Detail", "Part", "====", "----", "", "", "- item one", "  - nested item", "1. first",
     "```python", "```", "~~~", "| a | b |", "| --- | --- |", "| 1 | 2 |", "A sentence. And another one!", "word " * 90,
     "x" * 1500, "    indented", "> quote", "#", "#not a heading", "日本語のテキスト。" * 40]
)  # fmt: skip

SENTENCES = st.sampled_from(
    ["Short text.", "A longer paragraph of plain words without structure.", "One more."]
)


def said(text):
    return WORDS.findall(text)


@given(st.lists(LINES, max_size=60).map("\n".join))
def test_every_word_is_in_a_chunk_or_above_one(text):
    pieces = split(text)
    kept = set(said(" ".join(f"{piece.heading} {piece.content}" for piece in pieces)))
    # Cutting a run without spaces makes two words of it, so pieces of words count as found in the joined text.
    joined = "".join(kept)
    assert [word for word in said(text) if word not in kept and len(word) < 100 and word not in joined] == []


@given(st.lists(LINES, max_size=60).map("\n".join))
def test_chunks_are_neither_empty_nor_too_long(text):
    for piece in split(text):
        assert piece.content.strip()
        # A cut table repeats its header and a cut fence its marks, on top of the 1,000 characters.
        assert len(piece.content) <= LARGEST * 2
        assert len(piece.heading) <= MAX_PATH


@given(st.lists(SENTENCES, min_size=40, max_size=80))
def test_plain_prose_fills_its_chunks(paragraphs):
    sizes = [len(piece.content) for piece in split("\n\n".join(paragraphs))]
    assert all(600 <= size <= LARGEST for size in sizes[:-1])
    assert sizes[-1] <= LARGEST


def test_prose_is_kept_in_order_and_not_repeated():
    sentences = [f"Sentence number {n} of the manual says something." for n in range(200)]
    joined = " ".join(piece.content for piece in split(" ".join(sentences)))
    assert re.findall(r"number (\d+)", joined) == [str(n) for n in range(200)]


def test_a_chunk_knows_the_headings_above_it():
    pieces = split(f"# Guide\n\n## Hub\n\n{'Plug it in. ' * 60}\n\n### Reset\n\n{'Hold the button. ' * 50}")
    assert [piece.heading for piece in pieces] == ["Guide > Hub", "Guide > Hub > Reset"]


def test_small_sections_share_a_chunk_and_keep_their_headings_inside():
    (piece,) = split("# Guide\n\n## One\n\nFirst.\n\n## Two\n\nSecond.")
    assert piece.heading == "Guide"
    assert piece.content == "## One\n\nFirst.\n\n## Two\n\nSecond."


def test_a_table_that_fits_is_not_cut():
    table = "| Key | Value |\n| --- | --- |\n" + "\n".join(f"| {n} | {'v' * 20} |" for n in range(25))
    pieces = split(f"{'Before the table. ' * 45}\n\n{table}")
    assert pieces[-1].content == table


def test_a_long_table_repeats_its_header():
    rows = [f"| {n} | {'v' * 40} |" for n in range(100)]
    pieces = split("| Key | Value |\n| --- | --- |\n" + "\n".join(rows))
    assert len(pieces) > 3
    assert all(piece.content.startswith("| Key | Value |\n| --- | --- |\n") for piece in pieces)
    assert [row for piece in pieces for row in piece.content.split("\n")[2:]] == rows


def test_long_code_is_cut_at_lines_and_fenced_again():
    lines = [f"    call({n})" for n in range(200)]
    pieces = split("```python\n" + "\n".join(lines) + "\n```")
    assert all(
        piece.content.startswith("```python\n") and piece.content.endswith("\n```") for piece in pieces
    )
    assert [line for piece in pieces for line in piece.content.split("\n")[1:-1]] == lines


def test_a_fence_that_is_never_closed_loses_nothing():
    pieces = split("```\n" + "x" * 1500 + "\n```python")
    assert pieces[-1].content.endswith("x\n```python\n```")


def test_markdown_inside_code_is_code():
    (block,) = read("```\n# not a heading\n| a | b |\n```")
    assert block.kind is Kind.FENCE


def test_a_long_list_is_cut_between_items():
    items = [f"- item {n}: {'words and ' * 8}" for n in range(40)]
    pieces = split("\n".join(items))
    assert all(piece.content.startswith("- item") for piece in pieces)
    assert sum(piece.content.count("- item") for piece in pieces) == 40


@pytest.mark.parametrize(
    "text",
    [
        "#\n" * 100_000,
        "# a b\n" * 100_000,
        "x" * 5_000_000,
        "word " * 1_000_000,
        "\n".join(" " * min(depth, 2000) + "- x" for depth in range(2500)),
        "- a\n\n\n\n" * 200_000,
        "- a\n  ```\n" * 200_000,
        "```\n" * 400_000,
        "|" * 5_000_000,
        "a|b\n-|-\n" * 200_000,
        "###### a\n# b\n" * 100_000,
        "a\n-\n" * 300_000,
    ],
    ids=["marks", "headings", "one line", "one line of words", "nested list", "gaps", "open fences in lists", "fences",
         "pipes", "tables", "deep and shallow", "underlines"],
)  # fmt: skip
def test_hostile_documents_take_linear_time(text):
    started = time.process_time()
    split(text)
    assert time.process_time() - started < 8
