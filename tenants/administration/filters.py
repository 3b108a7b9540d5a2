"""Filters of lists that ask in people's words."""

from collections.abc import Sequence
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest


class Choice(admin.SimpleListFilter):
    """One of `choices_`, as (value, words); anything else in the address narrows nothing."""

    choices_: ClassVar[Sequence[tuple[str, str]]] = ()

    def lookups(self, request: HttpRequest, model_admin: Any) -> Sequence[tuple[str, str]]:
        return self.choices_

    def queryset(self, request: HttpRequest, queryset: "QuerySet[Any]") -> "QuerySet[Any]":
        value = self.value()
        known = value is not None and value in dict(self.choices_)
        return self.narrowed(queryset, str(value)) if known else queryset

    def narrowed(self, rows: "QuerySet[Any]", value: str) -> "QuerySet[Any]":
        """The rows of this choice."""
        raise NotImplementedError
