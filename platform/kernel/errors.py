"""The errors our own functions raise. Doors translate them: problem+json on the API, an `error` frame on the socket."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FieldError:
    """One field of somebody's input, by the name they know it by, and what is allowed there."""

    field: str
    message: str


class FrontdeskError(Exception):
    """Base of our own errors: `code` is for programs, `detail` is a sentence for a person."""

    code = "error"

    def __init__(self, detail: str, *, code: str | None = None) -> None:
        super().__init__(detail)
        self.detail = detail
        if code is not None:
            self.code = code


class InvalidInput(FrontdeskError):
    """Input that is not allowed; `errors` name each field."""

    code = "invalid"

    def __init__(self, detail: str, *, errors: Sequence[FieldError] = (), code: str | None = None) -> None:
        super().__init__(detail, code=code)
        self.errors = tuple(errors)

    @classmethod
    def of(cls, field: str, message: str) -> "InvalidInput":
        """The usual case: one field is wrong."""
        return cls(f"{field}: {message}", errors=(FieldError(field, message),))


class NotFound(FrontdeskError):
    """No such thing here: it does not exist, or it is another tenant's (we never say which)."""

    code = "not_found"


class Conflict(FrontdeskError):
    """What is asked for contradicts what is already stored."""

    code = "conflict"


class NotAllowed(FrontdeskError):
    """The caller is known but may not do this."""

    code = "not_allowed"


class TooLarge(FrontdeskError):
    """The input is over its limit; the detail names the limit."""

    code = "too_large"


class UnsupportedType(FrontdeskError):
    """The input's media type is not one we read; the detail names those we do."""

    code = "unsupported_type"


class ProviderError(FrontdeskError):
    """An AI provider failed. Raised only by `ai`.

    `code` is one of rate_limited, unavailable, timeout, stalled, cut, bad_response, unauthorized, refused.
    `retryable` says whether the same call may succeed later; `retry_after` is in seconds, where the provider named it.
    """

    code = "unavailable"

    def __init__(
        self,
        detail: str,
        *,
        provider: str,
        retryable: bool,
        code: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(detail, code=code)
        self.provider = provider
        self.retryable = retryable
        self.retry_after = retry_after
