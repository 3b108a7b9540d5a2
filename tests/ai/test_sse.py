"""Server-sent events, however the network cuts them up."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai.sse import MAX_PENDING, EventParser

STREAM = (
    "\ufeff: a comment\n\n"
    'event: message_start\r\ndata: {"text": "Größe 日本語 🙂"}\r\n\r\n'
    "data: one\ndata: two\n\n"
    "data:no space\n\n"
    "id: 7\nretry: 10\n\n"
    "\n\n\n"
    "data\n\n"
    "data: old Mac\r\r"
    'data: {"a": "é"}\n\n'
    "data: [DONE]\n"
).encode()
EVENTS = [
    '{"text": "Größe 日本語 🙂"}'.encode(),
    b"one\ntwo",
    b"no space",
    b"",
    b"old Mac",
    '{"a": "é"}'.encode(),
    b"[DONE]",
]


def parse(pieces: list[bytes]) -> list[bytes]:
    parser = EventParser()
    found = [event for piece in pieces for event in parser.feed(piece)]
    return found + parser.finish()


def test_a_stream_in_one_piece() -> None:
    assert parse([STREAM]) == EVENTS


def test_a_stream_byte_by_byte() -> None:
    assert parse([STREAM[i : i + 1] for i in range(len(STREAM))]) == EVENTS


@given(st.lists(st.integers(0, len(STREAM)), max_size=20))
def test_any_cuts_give_the_same_events(cuts: list[int]) -> None:
    bounds = [0, *sorted(cuts), len(STREAM)]
    pieces = [STREAM[start:end] for start, end in pairwise(bounds)]
    assert parse(pieces) == EVENTS


_LINE = st.text(
    st.characters(blacklist_characters="\r\n", blacklist_categories=["Cs"]), min_size=1, max_size=12
)


@given(
    payloads=st.lists(st.lists(_LINE, min_size=1, max_size=3), max_size=6),
    newline=st.sampled_from(["\n", "\r\n", "\r"]),
    data=st.data(),
)
def test_any_payloads_with_any_newlines_and_cuts(
    payloads: list[list[str]], newline: str, data: st.DataObject
) -> None:
    stream = "".join(
        "".join(f"data: {line}{newline}" for line in lines) + newline for lines in payloads
    ).encode()
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=10))
    bounds = [0, *sorted(cuts), len(stream)]
    pieces = [stream[start:end] for start, end in pairwise(bounds)]
    assert parse(pieces) == ["\n".join(lines).encode() for lines in payloads]


def test_half_an_event_at_the_end_is_dropped() -> None:
    assert parse([b"data: whole\n\ndata: hal"]) == [b"whole"]


def test_an_event_that_never_ends_is_refused() -> None:
    parser = EventParser()
    assert parser.feed(b"x" * MAX_PENDING) == []
    with pytest.raises(OverflowError, match="longer than"):
        parser.feed(b"x")
