"""Estimated tokens."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.chat import ChatRequest, Passage, estimate_input_tokens, estimate_usage
from ai.usage import estimate_tokens
from tests.ai.asking import with_messages


@pytest.mark.parametrize(
    ("text", "tokens"), [("", 0), ("a", 1), ("four", 1), ("fives", 2), ("日本語", 3), ("Größe", 2)]
)
def test_four_bytes_are_a_token(text: str, tokens: int) -> None:
    assert estimate_tokens(text) == tokens


def test_lone_surrogates_are_counted_too() -> None:
    assert estimate_tokens("\ud800") == 1


@given(st.text(), st.text())
def test_more_text_is_never_fewer_tokens(one: str, other: str) -> None:
    assert max(estimate_tokens(one), estimate_tokens(other)) <= estimate_tokens(one + other)
    assert estimate_tokens(one + other) <= estimate_tokens(one) + estimate_tokens(other)


def test_every_message_has_its_own_cost() -> None:
    assert estimate_input_tokens(with_messages(("system", "four"), ("user", "eight888"))) == 4 + 1 + 4 + 2


def test_without_messages_question_and_passages_count() -> None:
    request = ChatRequest((), "four", (Passage("eight888", "Title"),))
    usage = estimate_usage(request, "four")
    assert (usage.input_tokens, usage.output_tokens, usage.estimated) == (3, 1, True)
