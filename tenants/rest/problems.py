"""Errors as RFC 9457 problem+json, wherever a program may call: ours, Django REST framework's, Django's and the
database's. People get pages."""

import logging
import math
from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any, Final

import orjson
from django.core.exceptions import DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import DataError, IntegrityError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseServerError
from django.http.response import HttpResponseBase
from django.template import loader
from django.views import defaults
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.settings import api_settings

from kernel import observing
from kernel.errors import (
    Conflict,
    FieldError,
    FrontdeskError,
    InvalidInput,
    NotAllowed,
    NotFound,
    ProviderError,
    TooLarge,
    UnsupportedType,
)
from tenants.db.errors import TenantMoving

logger = logging.getLogger(__name__)

CONTENT_TYPE: Final = "application/problem+json"
TYPE: Final = "/api/docs#problem-{status}"
# Paths whose callers are programs: they get a problem where a person would get a page.
PROGRAM_PATHS: Final = ("/api/", "/widget/", "/webhooks/")
SINGLE_PATHS: Final = frozenset({"/api", "/widget", "/webhooks", "/healthz", "/readyz", "/metrics"})
# What a program may be told of a status that nobody wrote a sentence for.
CODES: Final = {
    400: ("malformed", "The request cannot be read."),
    401: ("not_authenticated", "This needs somebody who is signed in or a key."),
    403: ("not_allowed", "This is not allowed."),
    404: ("not_found", "There is nothing at this address."),
    405: ("method_not_allowed", "This address has no such method; Allow names those it has."),
    412: ("version_changed", "It has been changed since you read it."),
    413: ("too_large", "The request is larger than is read here."),
    414: ("uri_too_long", "The address is longer than is read here."),
    431: ("headers_too_large", "The request's headers are larger than is read here."),
    500: ("internal", "Something went wrong on our side; it has been logged."),
    503: ("unavailable", "The service cannot answer now; try again."),
}
RETRY_AFTER_S: Final = 5

STATUS_BY_CLASS: Final[dict[type[FrontdeskError], int]] = {
    InvalidInput: 400,
    NotAllowed: 403,
    NotFound: 404,
    Conflict: 409,
    TooLarge: 413,
    UnsupportedType: 415,
}
# Errors of rooms above this one, known here by their code alone: imports go downwards only.
STATUS_BY_CODE: Final = {
    "budget_reached": 402,
    "plan_limit": 402,
    "missing_scope": 403,
    "origin_not_allowed": 403,
    "identity_invalid": 401,
    "rate_limited": 429,
    "too_fast": 429,
}


def problem(
    status: int,
    code: str,
    detail: str,
    *,
    errors: Sequence[FieldError] = (),
    retry_after: float | None = None,
    extensions: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """One problem+json response: `type`, `title`, `status`, `detail`, `code`, `errors: [{field, message}]`, and what an
    error of its kind has beside these."""
    body = {
        "type": TYPE.format(status=status),
        "title": HTTPStatus(status).phrase,
        "status": status,
        "detail": detail,
        "code": code,
        "errors": [{"field": error.field, "message": error.message} for error in errors],
        **(extensions or {}),
    }
    response = HttpResponse(orjson.dumps(body), status=status, content_type=CONTENT_TYPE)
    if retry_after is not None:
        response["Retry-After"] = str(max(1, math.ceil(retry_after)))
    return response


def of_status(status: int) -> HttpResponse:
    """The problem of a status alone; a failure of ours names the request, so that its log lines can be found."""
    code, detail = CODES.get(status, ("error", HTTPStatus(status).phrase))
    request_id = observing.facts().get("request_id") if status == 500 else None
    return problem(status, code, detail, extensions={"request_id": request_id} if request_id else None)


def exception_handler(error: Exception, context: dict[str, Any] | None = None) -> HttpResponse:
    """What Django REST framework calls when a view raises. Nothing internal leaves; the unexpected is logged."""
    if isinstance(error, FrontdeskError):
        return of_error(error)
    if isinstance(error, APIException):
        return _of_framework(error)
    if isinstance(error, Http404):
        return problem(404, "not_found", "There is nothing here.")
    if isinstance(error, PermissionDenied):
        return problem(403, "not_allowed", "This is not allowed.")
    if isinstance(error, RequestDataTooBig):
        return problem(413, "too_large", "The body is larger than this API reads.")
    if isinstance(error, DisallowedHost):
        return problem(400, "bad_host", "Nothing is served under the name that the Host header gives.")
    if isinstance(error, SuspiciousOperation):
        return of_status(400)
    return _of_database(error) or _unexpected(error)


def of_error(error: FrontdeskError) -> HttpResponse:
    """The problem for one of our own errors. What a provider said stays in the log: it may quote keys or prompts."""
    if isinstance(error, ProviderError):
        logger.warning("provider %s failed: %s %s", error.provider, error.code, error.detail)
        detail = "The AI provider cannot answer now; try again later."
        return problem(503, "model_unavailable", detail, retry_after=error.retry_after or RETRY_AFTER_S)
    status = getattr(error, "status", None) or STATUS_BY_CODE.get(error.code)
    if status is None:
        status = next((code for kind, code in STATUS_BY_CLASS.items() if isinstance(error, kind)), None)
    if status is None:
        return _unexpected(error)
    errors = error.errors if isinstance(error, InvalidInput) else ()
    response = problem(
        status,
        error.code,
        error.detail,
        errors=errors,
        retry_after=getattr(error, "retry_after", None),
        extensions=getattr(error, "extensions", None),
    )
    for name, value in getattr(error, "headers", {}).items():
        response[name] = value
    return response


def moving() -> HttpResponse:
    """The problem while a tenant's rows are being moved (`tenants.moving`): no error of anybody's."""
    detail = "Your data is being moved; nothing is lost. Try again in a moment."
    return problem(503, "unavailable", detail, retry_after=RETRY_AFTER_S)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler404."""
    if for_programs(request.path):
        return of_status(404)
    return defaults.page_not_found(request, exception)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Django's handler500."""
    if for_programs(request.path):
        return of_status(500)
    # Not with the request: whatever has failed may be what its context is made of.
    page = loader.get_template("500.html").render({"request_id": observing.facts().get("request_id")})
    return HttpResponseServerError(page)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler400."""
    return (
        exception_handler(exception)
        if for_programs(request.path)
        else defaults.bad_request(request, exception)
    )


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Django's handler403."""
    if for_programs(request.path):
        return of_status(403)
    return defaults.permission_denied(request, exception)


def for_programs(path: str) -> bool:
    """Whether whoever calls this path is a program."""
    return path.startswith(PROGRAM_PATHS) or path in SINGLE_PATHS


def _of_framework(error: APIException) -> HttpResponse:
    status = error.status_code
    if isinstance(error, ValidationError):
        errors = tuple(_flattened(error.detail))
        detail = "; ".join(f"{e.field}: {e.message}" if e.field else e.message for e in errors[:3])
        return problem(status, "invalid", detail or "The input is not valid.", errors=errors)
    codes = error.get_codes()
    wait = getattr(error, "wait", None)
    response = problem(
        status, codes if isinstance(codes, str) else "error", str(error.detail), retry_after=wait
    )
    challenge = getattr(error, "auth_header", None)
    if challenge:
        response["WWW-Authenticate"] = challenge
    return response


def _flattened(detail: Any, path: tuple[str, ...] = ()) -> Iterator[FieldError]:
    """Nested errors as dotted paths: {"settings": {"starterQuestions": {0: ["…"]}}} is settings.starterQuestions.0."""
    if isinstance(detail, dict):
        for key, value in detail.items():
            here = path if key == api_settings.NON_FIELD_ERRORS_KEY else (*path, str(key))
            yield from _flattened(value, here)
    elif isinstance(detail, list):
        for index, value in enumerate(detail):
            # A list of messages belongs to this field; a list of dicts is one entry per item of a list.
            yield from _flattened(value, (*path, str(index)) if isinstance(value, dict | list) else path)
    else:
        yield FieldError(".".join(path), str(detail))


def _of_database(error: Exception) -> HttpResponse | None:
    if isinstance(error, DataError):
        logger.warning("the database refused a value", exc_info=error)
        return problem(400, "invalid", "A value cannot be stored.")
    if isinstance(error, IntegrityError):
        # A race that the code's own check could not see, found by a constraint.
        logger.warning("the database refused a change", exc_info=error)
        return problem(409, "conflict", "This contradicts what is already stored.")
    if isinstance(error, TenantMoving):
        return moving()
    if isinstance(error, OperationalError):
        logger.error("the database is not answering", exc_info=error)
        detail = "The service cannot answer now; try again."
        return problem(503, "unavailable", detail, retry_after=RETRY_AFTER_S)
    return None


def _unexpected(error: Exception) -> HttpResponse:
    logger.error("unexpected error", exc_info=error)
    return of_status(500)
