"""The SQL of a hot list, compiled once for each shape of query.

Django builds and compiles a list's SQL anew for each request, which was a fifth of the request's CPU, though only the
values in it differ. A query of one table with plain comparisons has a shape: what is compared with what, and in which
order the rows come. Its SQL is remembered by that; the values are taken from the query at hand. Anything else is
compiled as always.
"""

import uuid
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any, Final

from django.db import connection
from django.db.models import Field, QuerySet
from django.db.models.expressions import Col
from django.db.models.lookups import BuiltinLookup
from django.db.models.sql.where import WhereNode

KEPT: Final = 500
PLAIN: Final = (str, int, float, Decimal, uuid.UUID, date)

_compiled: dict[Any, str | None] = {}


class _HasNoShape(Exception):
    """The query is more than comparisons of one table's columns with values."""


def statement_of(rows: QuerySet[Any, Any], columns: Sequence[str]) -> tuple[str, Sequence[Any]]:
    """The SQL of `rows.values_list(*columns)` and its parameters."""
    parameters: list[Any] = []
    try:
        key = (rows.model, tuple(columns), _shape(rows.query, parameters))
        known = _compiled.get(key)
    except _HasNoShape:
        return _compile(rows, columns)
    if known is not None:
        return known, parameters
    statement, its_parameters = _compile(rows, columns)
    # Remembered only where the values are exactly those that the shape leaves out.
    if list(its_parameters) == parameters:
        if len(_compiled) >= KEPT:
            _compiled.clear()
        _compiled[key] = statement
    return statement, its_parameters


def _compile(rows: QuerySet[Any, Any], columns: Sequence[str]) -> tuple[str, Sequence[Any]]:
    statement, parameters = rows.values_list(*columns).query.sql_with_params()
    return statement, parameters


def _shape(query: Any, parameters: list[Any]) -> tuple[Any, ...]:
    """All of a query but the values it compares with, which are added to `parameters`. Raises _HasNoShape."""
    is_more = (
        query.annotations or query.extra or query.distinct or query.combinator or query.select_related
        or query.select_for_update or query.group_by is not None or query.extra_order_by
        or sum(count > 0 for count in query.alias_refcount.values()) > 1
        or not all(isinstance(name, str) for name in query.order_by)
    )  # fmt: skip
    if is_more:
        raise _HasNoShape
    order = (query.order_by, query.standard_ordering, query.default_ordering)
    return (*order, query.low_mark, query.high_mark, _where(query.where, parameters))


def _where(node: Any, parameters: list[Any]) -> Any:
    if isinstance(node, WhereNode):
        return node.connector, node.negated, tuple(_where(child, parameters) for child in node.children)
    if not isinstance(node, BuiltinLookup) or not isinstance(node.lhs, Col):
        raise _HasNoShape
    lookup: Any = node  # whose compiler is only asked for where the value is an expression
    column: Field[Any, Any] = node.lhs.target
    if isinstance(node.rhs, bool):
        return type(node), column.attname, node.rhs
    if not isinstance(node.rhs, PLAIN):
        raise _HasNoShape
    _, values = lookup.process_rhs(None, connection)
    parameters.extend(values)
    return type(node), column.attname, len(values)
