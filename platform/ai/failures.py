"""Everything a provider can do wrong, as ProviderError: one table for chat models and embedders.

`code` and `retryable`: rate_limited (429; not retryable where the account's quota is spent), unavailable (5xx, refused,
reset before the answer; not retryable where there is no such model, 404), timeout (nothing came), stalled (it stopped
halfway), cut (it ended before it said so), bad_response (not what the API promises), unauthorized (401, 403; not
retryable), refused (other 4xx, or the model declines; not retryable).
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from typing import Any

import aiohttp
import orjson

from ai.usage import Usage
from kernel.clock import now
from kernel.errors import ProviderError

MAX_MESSAGE = 300

# The `type` or `code` words inside error objects, as OpenAI and Anthropic document them.
STATUS_OF = {
    "rate_limit_error": 429,
    "rate_limit_exceeded": 429,
    "insufficient_quota": 429,
    "overloaded_error": 529,
    "api_error": 500,
    "server_error": 500,
    "timeout_error": 504,
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "billing_error": 402,
    "not_found_error": 404,
    "model_not_found": 404,
    "request_too_large": 413,
    "invalid_request_error": 400,
}


@dataclass(frozen=True, slots=True)
class Attempt:
    """A call that failed and is to be paid for all the same, since the provider said what it had used."""

    provider: str
    model: str
    usage: Usage
    own_key: bool = False


class PaidFailure(ProviderError):
    """A failure after calls that are to be paid for: its own, and others before it."""

    def __init__(self, failure: ProviderError, attempts: Sequence[Attempt]) -> None:
        super().__init__(
            failure.detail,
            provider=failure.provider,
            retryable=failure.retryable,
            code=failure.code,
            retry_after=failure.retry_after,
        )
        self.attempts = tuple(attempts)


def is_keys_fault(failure: ProviderError) -> bool:
    """Whether the key is not accepted, or has nothing left to spend: it will not pass by itself."""
    return failure.code in ("unauthorized", "rate_limited") and not failure.retryable


def with_attempts(failure: ProviderError, attempts: Sequence[Attempt]) -> ProviderError:
    """The same failure, telling of these attempts and no others; itself where there are none."""
    return PaidFailure(failure, attempts) if attempts else failure


def attempts_of(failure: ProviderError) -> tuple[Attempt, ...]:
    """The failed calls that are to be paid for."""
    return failure.attempts if isinstance(failure, PaidFailure) else ()


def from_status(provider: str, status: int, headers: Mapping[str, str], body: bytes) -> ProviderError:
    """The error for an answer whose status is not 200."""
    words, message = _read(body)
    return _error(provider, status, words, message, retry_after(headers))


def from_event(provider: str, error: object) -> ProviderError:
    """The error for an `error` object in the middle of a stream. What it does not explain counts as unavailable."""
    words, message = _describe(error)
    status = next((STATUS_OF[word] for word in words if word in STATUS_OF), 0)
    if not status:
        status = next((int(word) for word in words if word.isdecimal() and 400 <= int(word) < 600), 500)
    return _error(provider, status, words, message, None)


def from_transport(provider: str, error: Exception, *, streaming: bool) -> ProviderError:
    """The error for a connection that failed: before the answer began (unavailable), or within it (cut)."""
    if isinstance(error, aiohttp.ClientResponseError):
        return bad_response(provider, "sent something that is not HTTP")
    reason = type(error).__name__
    if streaming:
        return ProviderError(
            f"{provider} broke off its answer ({reason}).", provider=provider, retryable=True, code="cut"
        )
    detail = f"{provider} cannot be reached ({reason})."
    return ProviderError(detail, provider=provider, retryable=True, code="unavailable")


def bad_response(provider: str, what: str) -> ProviderError:
    return ProviderError(f"{provider} {what}.", provider=provider, retryable=True, code="bad_response")


def cut(provider: str) -> ProviderError:
    detail = f"{provider} ended its answer without saying that it was complete."
    return ProviderError(detail, provider=provider, retryable=True, code="cut")


def timeout(provider: str, seconds: float) -> ProviderError:
    detail = f"{provider} did not answer within {seconds:g} s."
    return ProviderError(detail, provider=provider, retryable=True, code="timeout")


def stalled(provider: str, seconds: float) -> ProviderError:
    detail = f"{provider} stopped in the middle of its answer for {seconds:g} s."
    return ProviderError(detail, provider=provider, retryable=True, code="stalled")


def refused(provider: str, why: str) -> ProviderError:
    detail = f"{provider} refused the request: {why}"
    return ProviderError(detail, provider=provider, retryable=False, code="refused")


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds to wait, never negative, from `retry-after-ms` (OpenAI) or `Retry-After` (RFC 9110: seconds or a date);
    None where neither is there and makes sense. The names are looked up in lower case."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            seconds = float(value) / divisor
        except ValueError:
            try:
                moment = parsedate_to_datetime(value)
            except ValueError:
                continue
            moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
            seconds = (moment - now()).total_seconds()
        if math.isfinite(seconds):
            return max(0.0, seconds)
    return None


def _error(
    provider: str, status: int, words: tuple[str, ...], message: str, wait: float | None
) -> ProviderError:
    said = f": {message}" if message else "."
    if status in (401, 403):
        # What the provider says here may repeat part of the key, so it is not passed on.
        detail = f"{provider} does not accept the API key ({status})."
        return ProviderError(detail, provider=provider, retryable=False, code="unauthorized")
    if status == 429:
        spent = "insufficient_quota" in words
        detail = f"{provider} {'has no quota left for us' if spent else 'limits our rate'} ({status}){said}"
        return ProviderError(
            detail, provider=provider, retryable=not spent, code="rate_limited", retry_after=wait
        )
    if status == 408:
        return ProviderError(
            f"{provider} gave up waiting ({status}){said}", provider=provider, retryable=True, code="timeout"
        )
    if status >= 500:
        detail = f"{provider} is unavailable ({status}){said}"
        return ProviderError(detail, provider=provider, retryable=True, code="unavailable", retry_after=wait)
    if status == 404:
        detail = f"{provider} does not have this model (404){said}"
        return ProviderError(detail, provider=provider, retryable=False, code="unavailable")
    if status >= 400:
        return refused(provider, f"({status}) {message or 'no reason given'}")
    return bad_response(provider, f"answered with status {status}")


def _read(body: bytes) -> tuple[tuple[str, ...], str]:
    try:
        document: Any = orjson.loads(body)
    except orjson.JSONDecodeError:
        return (), ""
    if (
        isinstance(document, list) and document
    ):  # Google's OpenAI-compatible server wraps the object in a list
        document = document[0]
    return _describe(document.get("error", document) if isinstance(document, dict) else document)


def _describe(error: object) -> tuple[tuple[str, ...], str]:
    if isinstance(error, str):
        return (), error[:MAX_MESSAGE]
    if not isinstance(error, Mapping):
        return (), ""
    words = tuple(str(error[key]) for key in ("code", "type") if error.get(key))
    message = error.get("message") or error.get("detail") or ""
    return words, str(message)[:MAX_MESSAGE]
