"""Reading what providers say when they fail."""

from datetime import timedelta
from email.utils import format_datetime

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai import failures
from kernel.clock import now
from kernel.errors import ProviderError

CODES = {
    "rate_limited",
    "unavailable",
    "timeout",
    "stalled",
    "cut",
    "bad_response",
    "unauthorized",
    "refused",
}


@pytest.mark.parametrize(
    ("status", "code", "retryable"),
    [
        (301, "bad_response", True),
        (400, "refused", False),
        (401, "unauthorized", False),
        (402, "refused", False),
        (403, "unauthorized", False),
        (404, "unavailable", False),
        (408, "timeout", True),
        (422, "refused", False),
        (429, "rate_limited", True),
        (500, "unavailable", True),
        (529, "unavailable", True),
    ],
)
def test_statuses(status: int, code: str, retryable: bool) -> None:
    error = failures.from_status("p", status, {}, b"")
    assert (error.code, error.retryable, error.provider) == (code, retryable, "p")


def test_the_providers_own_words_are_passed_on_but_not_about_keys() -> None:
    body = (
        b'{"error": {"message": "Model gpt-0 does not exist", "type": "invalid_request_error", "code": null}}'
    )
    assert "Model gpt-0 does not exist" in failures.from_status("p", 404, {}, body).detail
    assert "gpt-0" not in failures.from_status("p", 401, {}, body).detail


def test_a_spent_quota_cannot_be_waited_for() -> None:
    body = b'{"error": {"message": "You exceeded your current quota", "code": "insufficient_quota"}}'
    error = failures.from_status("p", 429, {}, body)
    assert (error.code, error.retryable) == ("rate_limited", False)


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({}, None),
        ({"retry-after": "3"}, 3.0),
        ({"retry-after": " 0.5 "}, 0.5),
        ({"retry-after": "-4"}, 0.0),
        ({"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, 0.0),
        ({"retry-after": "soon"}, None),
        ({"retry-after": "nan"}, None),
        ({"retry-after": "inf"}, None),
        ({"retry-after-ms": "250", "retry-after": "9"}, 0.25),
        ({"retry-after-ms": "x", "retry-after": "9"}, 9.0),
    ],
)
def test_retry_after(headers: dict[str, str], seconds: float | None) -> None:
    assert failures.retry_after(headers) == seconds


def test_retry_after_as_a_date() -> None:
    wait = failures.retry_after({"retry-after": format_datetime(now() + timedelta(seconds=60), usegmt=True)})
    assert wait is not None
    assert 55 < wait <= 60


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ({"type": "overloaded_error"}, "unavailable"),
        ({"code": 429, "message": "OpenRouter's way"}, "rate_limited"),
        ({"code": "502"}, "unavailable"),
        ({"type": "something new"}, "unavailable"),
        ("just words", "unavailable"),
        (None, "unavailable"),
        ([1], "unavailable"),
    ],
)
def test_error_events(error: object, code: str) -> None:
    assert failures.from_event("p", error).code == code


@pytest.mark.parametrize(
    ("error", "streaming", "code"),
    [
        (ConnectionResetError(), False, "unavailable"),
        (ConnectionResetError(), True, "cut"),
        (aiohttp.ClientPayloadError(), True, "cut"),
        (aiohttp.ServerDisconnectedError(), False, "unavailable"),
        (aiohttp.ClientResponseError(None, ()), False, "bad_response"),
    ],
)
def test_connections(error: Exception, streaming: bool, code: str) -> None:
    assert failures.from_transport("p", error, streaming=streaming).code == code


@given(
    status=st.integers(201, 599),
    body=st.binary(max_size=80) | st.sampled_from([b"[]", b"1", b'{"error": 5}']),
)
def test_any_status_and_body_make_one_of_our_errors(status: int, body: bytes) -> None:
    error = failures.from_status("p", status, {"retry-after": "1"}, body)
    assert isinstance(error, ProviderError)
    assert error.code in CODES
