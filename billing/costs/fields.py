"""Columns of the costs' tables that Django has no field for."""

from typing import Any

from django.db import models

from kernel.money import MAX_DIGITS, PLACES


class MoneyField(models.DecimalField):  # type: ignore[type-arg]  # django-stubs types it by what it holds
    """US dollars with ten places: ten tokens of an embedding are $0.0000002."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["max_digits"], kwargs["decimal_places"] = MAX_DIGITS, PLACES
        super().__init__(*args, **kwargs)


class CurrentTransaction(models.Func):
    """The number of the writing transaction, all 64 bits of it."""

    function = "pg_current_xact_id"
    template = "%(function)s()"


class TransactionIdField(models.Field):  # type: ignore[type-arg]  # django-stubs types it by what it holds
    """PostgreSQL's xid8, as an int."""

    def db_type(self, connection: Any) -> str:
        return "xid8"

    def from_db_value(self, value: Any, expression: Any, connection: Any) -> int | None:
        return None if value is None else int(value)

    def get_prep_value(self, value: Any) -> str | None:
        return None if value is None or hasattr(value, "resolve_expression") else str(value)
