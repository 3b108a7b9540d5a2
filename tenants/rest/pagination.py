"""Pages by cursor, newest first: `?cursor=&limit=` (1 to 100, default 50) to `{"results": […], "next": cursor | null}`.

A cursor is the last row's place in the order, in base64: stable while rows are added, and nothing secret. It names a
place within what the caller may see anyway, so it needs no signature.
"""

import base64
import binascii
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import orjson
from django.core.exceptions import ValidationError
from django.db.models import DateTimeField, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput
from tenants.rest.rows import fetched

DEFAULT_LIMIT: Final = 50
MAX_LIMIT: Final = 100
MAX_CURSOR: Final = 300

LIMIT_SCHEMA: Final = {"type": "integer", "minimum": 1, "maximum": MAX_LIMIT, "default": DEFAULT_LIMIT}
PAGE_PARAMETERS: Final = [
    OpenApiParameter("limit", LIMIT_SCHEMA, description="How many items at most."),
    OpenApiParameter(
        "cursor", str, description="`next` of the page before; a cursor of anything else is refused."
    ),
]

Row = Mapping[str, Any]


def newest_first(
    request: Request,
    rows: QuerySet[Any, Any],
    *,
    by: Sequence[str] = ("id",),
    columns: Sequence[str] | None = None,
    as_object: Callable[[Any], Any] | None = None,
) -> Response:
    """One page of `rows` in descending order of `by`, one or two fields that tell rows apart.

    With `columns` a row is a dict of them, read the quick way (`tenants.rest.rows`), for hot lists; else it is what the
    query yields. Raises InvalidInput for a limit or cursor that is not one.
    """
    limit = _limit(request.query_params.get("limit"))
    cursor = request.query_params.get("cursor")
    if cursor is not None:
        rows = rows.filter(_before(by, _place(cursor, rows, by)))
    rows = rows.order_by(*(f"-{field}" for field in by))[: limit + 1]
    page = fetched(rows, columns) if columns else list(rows)
    following = _cursor(page[limit - 1], by) if len(page) > limit else None
    results = page[:limit]
    return Response(
        {"results": [as_object(row) for row in results] if as_object else results, "next": following}
    )


def page_of(item: type[serializers.Serializer[Any]]) -> serializers.Serializer[Any]:
    """How the OpenAPI document describes a page of `item`."""
    fields: dict[str, Any] = {
        "results": item(many=True),
        "next": serializers.CharField(allow_null=True, help_text="The next page's cursor; null on the last."),
    }
    return inline_serializer(f"{item.__name__.removesuffix('Fields')}Page", fields)


class NewestFirst(BasePagination):
    """The same for Django REST framework's generic views, in order of id."""

    _page: Response

    def paginate_queryset(self, queryset: Any, request: Request, view: Any = None) -> list[Any]:
        self._page = newest_first(request, queryset)
        results: list[Any] = self._page.data["results"]
        return results

    def get_paginated_response(self, data: Any) -> Response:
        return Response({"results": data, "next": self._page.data["next"]})


def _limit(text: str | None) -> int:
    if text is None:
        return DEFAULT_LIMIT
    if not (text.isascii() and text.isdigit() and len(text) <= 3 and 1 <= int(text) <= MAX_LIMIT):
        raise InvalidInput.of("limit", f"must be a whole number from 1 to {MAX_LIMIT}")
    return int(text)


def _cursor(row: Any, by: Sequence[str]) -> str:
    place = [row[field] if isinstance(row, Mapping) else getattr(row, field) for field in by]
    return base64.urlsafe_b64encode(orjson.dumps(place)).decode().rstrip("=")


def _place(cursor: str, rows: QuerySet[Any, Any], by: Sequence[str]) -> list[Any]:
    refusal = InvalidInput.of("cursor", "is not a cursor of this list")
    if len(cursor) > MAX_CURSOR:
        raise refusal
    try:
        place = orjson.loads(
            base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True)
        )
        if not isinstance(place, list) or len(place) != len(by):
            raise refusal
        return [_typed(rows, field, value) for field, value in zip(by, place, strict=True)]
    except (binascii.Error, ValueError, TypeError, OverflowError, ValidationError) as error:
        raise refusal from error


def _typed(rows: QuerySet[Any, Any], name: str, value: Any) -> Any:
    field = rows.model._meta.get_field(name)
    typed = field.to_python(value)
    if typed is None or (isinstance(field, DateTimeField) and timezone.is_naive(typed)):
        raise ValueError(name)
    return typed


def _before(by: Sequence[str], place: Sequence[Any]) -> Q:
    if len(by) == 1:
        return Q(**{f"{by[0]}__lt": place[0]})
    (first, second), (at, then) = by, place
    # The outer bound is what an index on (first, second) can start from.
    return Q(**{f"{first}__lte": at}) & (Q(**{f"{first}__lt": at}) | Q(**{f"{second}__lt": then}))
