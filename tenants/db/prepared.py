"""Statements that each answer passes through, planned once per connection.

Only what asks for it is prepared: a plan made for whichever tenant came first can be wrong for the next, so it is for
statements that have one sensible plan. Parameters go to the server apart from the text. Behind PgBouncer in
transaction mode this needs max_prepared_statements (1.21 or later), or DB_PREPARED_STATEMENTS=off.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from django.conf import settings
from django.db import connection
from psycopg import Cursor

# psycopg counts how often a statement was run; nothing is run so often that it is prepared unasked.
NEVER_UNASKED: Final = 2**31


class _Prepared(Cursor[Any]):
    """A cursor that prepares whatever it executes."""

    def _get_prepared(self, pgq: Any, prepare: bool | None = None) -> Any:
        return super()._get_prepared(pgq, settings.DATABASE_PREPARES)


@contextmanager
def prepared_cursor() -> Iterator[Any]:
    """A cursor of Django's connection, in the acting tenant's transaction, that prepares whatever it executes."""
    with connection.cursor() as cursor:
        # Django's wrapper stays round it: it translates errors and logs slow statements.
        cursor.cursor = _Prepared(connection.connection)
        yield cursor
