"""Frames: what is accepted, and how what is not is refused."""

import json
import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chat.protocol import MAX_CONTENT, ClientMessage, ClientResume, FrameError, parse

ID = str(uuid.uuid4())


def refusal(text):
    with pytest.raises(FrameError) as caught:
        parse(text)
    return caught.value.frame


def test_a_message_is_read():
    frame = parse(json.dumps({"type": "message", "id": ID, "content": "Hello", "later": "ignored"}))
    assert isinstance(frame, ClientMessage)
    assert (str(frame.id), frame.content) == (ID, "Hello")


def test_eight_thousand_characters_are_counted_as_code_points():
    assert parse(json.dumps({"type": "message", "id": ID, "content": "😀" * MAX_CONTENT}))
    frame = refusal(json.dumps({"type": "message", "id": ID, "content": "😀" * (MAX_CONTENT + 1)}))
    assert (frame["code"], frame["id"]) == ("too_long", ID)
    assert "8001" in frame["detail"]


@pytest.mark.parametrize("content", ["", "   ", "\n\t", "nul\x00"])
def test_an_empty_or_binary_message_is_refused_by_name(content):
    frame = refusal(json.dumps({"type": "message", "id": ID, "content": content}))
    assert frame["code"] == "bad_frame"
    assert frame["detail"].startswith("content:")


@pytest.mark.parametrize(
    ("text", "names"),
    [
        (None, "binary"),
        ("", "JSON"),
        ("{", "JSON"),
        ("[]", "type"),
        ("{}", "type"),
        ('{"type": "shout"}', "type"),
        ('{"type": "message", "content": "x"}', "id"),
        ('{"type": "message", "id": 7, "content": "x"}', "id"),
        ('{"type": "resume"}', "after"),
        ('{"type": "resume", "after": "7"}', "after"),
        ('{"type": "resume", "after": -1}', "after"),
        ('{"type": "resume", "after": 99999999999}', "after"),
        ('{"type": "feedback", "message_id": "x", "rating": 5}', "message_id"),
    ],
)
def test_what_is_wrong_is_named(text, names):
    frame = refusal(text)
    assert frame["code"] == "bad_frame"
    assert names in frame["detail"]


def test_resume_is_read():
    assert parse('{"type": "resume", "after": 0}') == ClientResume(type="resume", after=0)


def outcome(text):
    """None for a frame, else the code of the error; anything else that is raised is a defect."""
    try:
        parse(text)
    except FrameError as refused:
        return refused.frame["code"]


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=4),
)


@given(st.text(max_size=200) | json_values.map(json.dumps))
def test_anything_is_a_frame_or_an_error(text):
    assert outcome(text) in (None, "bad_frame", "too_long")


@given(
    st.sampled_from(["message", "resume", "read", "feedback", "handoff", "stop", "ping", "typing", "end"]),
    st.dictionaries(
        st.sampled_from(["id", "content", "after", "seq", "message_id", "rating", "attachments"]), json_values
    ),
)
def test_mutated_frames_are_frames_or_errors(kind, fields):
    assert outcome(json.dumps({**fields, "type": kind})) in (None, "bad_frame", "too_long")
