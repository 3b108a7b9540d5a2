"""JSON in and out, by orjson: strict UTF-8, bounded in size and depth; Decimals as plain text, times in UTC with Z."""

import json
import uuid
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

import orjson
from django.utils.functional import Promise
from rest_framework.exceptions import ParseError, UnsupportedMediaType
from rest_framework.parsers import BaseParser
from rest_framework.renderers import BaseRenderer

from kernel.errors import FieldError, InvalidInput, TooLarge
from kernel.money import as_text

MAX_BODY: Final = 12 * 1024 * 1024
MAX_DEPTH: Final = 64
JSON: Final = "application/json"
EVENT_STREAM: Final = "text/event-stream"
OPTIONS: Final = orjson.OPT_UTC_Z | orjson.OPT_NON_STR_KEYS


class OrjsonRenderer(BaseRenderer):
    """What a view returned, as JSON bytes."""

    media_type = JSON
    format = "json"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,
        renderer_context: Mapping[str, Any] | None = None,
    ) -> bytes:
        return b"" if data is None else dump(data)


class AnyType(BaseRenderer):
    """Whatever type a client accepts: a file is sent as it is, and never rendered."""

    media_type = "*/*"
    format = "file"


class OrjsonParser(BaseParser):
    """A request's JSON body. Raises ParseError (400), TooLarge (413) or InvalidInput naming a field with a NUL."""

    media_type = JSON

    def parse(
        self, stream: Any, media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        _refuse_other_charsets(media_type or "")
        body = _read(stream, _announced(parser_context))
        try:
            data = orjson.loads(body)
        except orjson.JSONDecodeError as error:
            raise ParseError(f"The body is not JSON: {error}.", code="malformed") from error
        # Only a body with so many brackets can be too deep, only one with the escape can hold a NUL: most skip this.
        if body.count(b"[") + body.count(b"{") > MAX_DEPTH or b"\\u0000" in body:
            _refuse_depth_and_nul(data)
        return data


def dump(data: Any) -> bytes:
    """`data` as JSON. Numbers past 64 bits, which jsonb can hold and orjson cannot, go through the standard library."""
    try:
        return orjson.dumps(data, default=_plain, option=OPTIONS)
    except TypeError:
        return json.dumps(data, default=_plain, ensure_ascii=False, separators=(",", ":")).encode()


def _plain(value: Any) -> Any:
    if isinstance(value, Decimal):
        return as_text(value)
    if isinstance(value, Promise | uuid.UUID):
        return str(value)
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if isinstance(value, set | frozenset | tuple):
        return list(value)
    raise TypeError(f"{type(value).__name__} has no JSON form")


def _refuse_other_charsets(media_type: str) -> None:
    _, _, charset = media_type.lower().partition("charset=")
    if charset and charset.strip('"; ').split(";")[0] not in ("utf-8", "utf8"):
        raise UnsupportedMediaType(media_type, "JSON is read as UTF-8 only.")


def _announced(parser_context: Mapping[str, Any] | None) -> int:
    request = (parser_context or {}).get("request")
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0) if request is not None else 0
    except ValueError:
        return 0


def _read(stream: Any, announced: int) -> bytes:
    if announced > MAX_BODY:
        raise TooLarge(f"The body is {announced:,} bytes; at most {MAX_BODY:,} are read.")
    body: bytes = stream.read(MAX_BODY + 1)
    if len(body) > MAX_BODY:
        raise TooLarge(f"The body is larger than {MAX_BODY:,} bytes.")
    # A client that goes away in mid-upload leaves a short body that could pass for a whole one.
    if len(body) < announced:
        raise ParseError(
            f"The body ended after {len(body):,} of {announced:,} announced bytes.", code="malformed"
        )
    return body


def _refuse_depth_and_nul(data: Any) -> None:
    pending: list[tuple[tuple[str, ...], Any]] = [((), data)]
    while pending:
        path, value = pending.pop()
        if len(path) > MAX_DEPTH:
            raise InvalidInput.of(".".join(path[:3]) + "…", f"nested deeper than {MAX_DEPTH} levels")
        if (isinstance(value, str) and "\0" in value) or (path and "\0" in path[-1]):
            field = ".".join(path).replace("\0", "\\u0000")
            raise InvalidInput(
                "A text holds the character NUL.",
                errors=[FieldError(field, "must not hold the character NUL")],
            )
        pending.extend(((*path, key), item) for key, item in _children(value))


def _children(value: Any) -> Iterator[tuple[str, Any]]:
    if isinstance(value, dict):
        yield from value.items()
    elif isinstance(value, list):
        yield from ((str(index), item) for index, item in enumerate(value))
