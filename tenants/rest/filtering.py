"""What a list may be narrowed to by its query string: declared once, read strictly, told to the OpenAPI document.

FILTERS = (one_of("status", SessionStatus, "Only sessions in this state."), identified("widget", "Only …"))

parameters=[*PAGE_PARAMETERS, *parameters(FILTERS)]
rows = narrowed(request, Session.objects.all(), FILTERS)
"""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, TypeVar

from django.db.models import QuerySet, TextChoices
from django.utils.dateparse import parse_datetime
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter
from rest_framework.request import Request

from kernel.errors import FieldError, InvalidInput

R = TypeVar("R", bound="QuerySet[Any, Any]")
LONGEST_TEXT: Final = 500
FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Filter:
    """One name of a query string. `read` raises ValueError saying what is allowed."""

    name: str
    lookup: str
    read: Callable[[str], Any]
    description: str
    type: Any = str
    choices: Sequence[str | int] | None = None


def identified(name: str, description: str, *, lookup: str | None = None) -> Filter:
    """Rows whose key `name` is the given id."""

    def read(text: str) -> uuid.UUID:
        try:
            return uuid.UUID(text)
        except ValueError as error:
            raise ValueError(f"must be the id of a {name}") from error

    return Filter(name, lookup or f"{name}_id", read, description, OpenApiTypes.UUID)


def one_of(name: str, choices: type[TextChoices], description: str) -> Filter:
    """Rows whose `name` is one of a fixed set."""

    def read(text: str) -> str:
        if text not in choices.values:
            raise ValueError(f"must be one of {', '.join(choices.values)}")
        return text

    return Filter(name, name, read, description, choices=choices.values)


def equal(name: str, description: str, *, lookup: str | None = None) -> Filter:
    """Rows whose `name` is exactly the given text."""

    def read(text: str) -> str:
        if len(text) > LONGEST_TEXT or "\0" in text:
            raise ValueError(f"must have at most {LONGEST_TEXT} characters, none of them NUL")
        return text

    return Filter(name, lookup or name, read, description)


def flag(name: str, description: str, *, lookup: str | None = None) -> Filter:
    """Rows for which `name` is true or false."""

    def read(text: str) -> bool:
        if text not in FLAGS:
            raise ValueError("must be true or false")
        return FLAGS[text]

    return Filter(name, lookup or name, read, description, bool)


def moment(name: str, lookup: str, description: str) -> Filter:
    """Rows before or after a time, as `lookup` (`created_at__gte`) says."""
    return Filter(name, lookup, _time, description, OpenApiTypes.DATETIME)


def parameters(filters: Sequence[Filter]) -> list[OpenApiParameter]:
    """How the OpenAPI document describes them."""
    return [
        OpenApiParameter(f.name, f.type, enum=f.choices, description=f.description)
        if f.choices
        else OpenApiParameter(f.name, f.type, description=f.description)
        for f in filters
    ]


def narrowed(request: Request, rows: R, filters: Sequence[Filter]) -> R:
    """`rows` with every filter that the query string names. Raises InvalidInput naming each that cannot be read."""
    lookups: dict[str, Any] = {}
    errors = []
    for one in filters:
        text = request.query_params.get(one.name)
        if text is None:
            continue
        try:
            lookups[one.lookup] = one.read(text)
        except ValueError as error:
            errors.append(FieldError(one.name, str(error)))
    if errors:
        raise InvalidInput("; ".join(f"{e.field}: {e.message}" for e in errors), errors=errors)
    return rows.filter(**lookups) if lookups else rows


def _time(text: str) -> datetime:
    # A plus sign that nobody encoded arrives as a space.
    try:
        found = parse_datetime(text.replace(" ", "+"))
    except ValueError:
        found = None
    if found is None or found.tzinfo is None or not 1970 <= found.year <= 2200:
        raise ValueError("must be a time with its offset, such as 2026-03-10T12:00:00Z")
    return found
