"""Rows for a hot list, by psycopg's own loaders.

Django's cursor reads every timestamp through a loader written in Python and hands jsonb over as text, to be parsed once
more: for a page of 50 sessions that was more CPU than the rest of the request. Here the statement that Django compiled
is read in psycopg's binary format by its C loaders. Fields with a `from_db_value` of their own are not for this.
"""

from collections.abc import Sequence
from typing import Any

import orjson
from django.db import connection
from django.db.models import QuerySet
from psycopg import Cursor
from psycopg.abc import Buffer
from psycopg.pq import Format
from psycopg.types.json import JsonbBinaryLoader

from tenants.rest.compiling import statement_of


class QuickJsonb(JsonbBinaryLoader):
    """jsonb by orjson. After one byte of version comes the document as text."""

    def load(self, data: Buffer) -> Any:
        return orjson.loads(bytes(data)[1:])


def fetched(rows: QuerySet[Any, Any], columns: Sequence[str]) -> list[dict[str, Any]]:
    """`rows.values(*columns)`, in the acting tenant's transaction."""
    statement, parameters = statement_of(rows, columns)
    with connection.cursor() as cursor:  # enters the tenant's context
        # Django's wrapper stays round the cursor: it translates errors and logs slow statements.
        cursor.cursor = Cursor(connection.connection)
        cursor.cursor.format = Format.BINARY
        cursor.cursor.adapters.register_loader("jsonb", QuickJsonb)
        cursor.execute(statement, parameters)
        return [dict(zip(columns, row, strict=True)) for row in cursor.fetchall()]
