"""What PostgreSQL says about itself, as far as the application's role may know: for `manage.py dbstats`.

As that role, because a role sees the statements of its own sessions only, and they are the ones that matter. Literals
in them are masked: values are bound on the client, so a statement on the server holds what people wrote.
"""

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final

from django.db import DatabaseError, connection

MASKED: Final = re.compile(
    r"(?:\b[EeBbXx])?'(?:[^'\\]|''|\\.)*'?|\$(\w*)\$.*?\$\1\$|\b\d+(?:\.\d+)?\b", re.DOTALL
)
_SPACE: Final = re.compile(r"\s+")
LONGEST: Final = 200
ROWS: Final = 20
LARGE: Final = 1_000_000
"""Bytes of an index that is worth a word when nothing uses it."""


@dataclass(frozen=True, slots=True)
class Table:
    """A table of findings. `note` says what is missing or what to do."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[Any, ...]]
    note: str = ""


def everything() -> list[Table]:
    """All tables, in the order in which one looks at them."""
    return [connections(), active_queries(), slow_statements(), tables(), indexes()]


def connections() -> Table:
    """Connections by role and state, beside what the server allows."""
    rows = _rows(
        """
        SELECT usename, coalesce(state, 'hidden'), count(*), date_trunc('second', max(clock_timestamp() - state_change))
        FROM pg_stat_activity
        WHERE datname = current_database()
        GROUP BY 1, 2 ORDER BY 1, 2
        """
    )
    ((allowed, hits),) = _rows(
        """
        SELECT current_setting('max_connections')::int,
               round(100.0 * blks_hit / nullif(blks_hit + blks_read, 0), 1)
        FROM pg_stat_database WHERE datname = current_database()
        """
    )
    note = f"The server allows {allowed} connections. {hits} % of the pages read were in its memory."
    return Table("Connections", ("role", "state", "count", "longest in it"), rows, note)


def active_queries() -> Table:
    """What the application's role runs now, the longest first."""
    rows = _rows(
        """
        SELECT pid, date_trunc('second', clock_timestamp() - query_start), state,
               coalesce(wait_event_type || ':' || wait_event, ''), query
        FROM pg_stat_activity
        WHERE datname = current_database() AND usename = current_user AND pid <> pg_backend_pid()
          AND state <> 'idle'
        ORDER BY query_start
        LIMIT %s
        """,
        [ROWS],
    )
    shown = [(*row[:-1], masked(row[-1])) for row in rows]
    note = "" if shown else "Nothing is running at this moment."
    return Table("Active queries", ("pid", "for", "state", "waits for", "statement"), shown, note)


def slow_statements() -> Table:
    """The statements that took most of the server's time, from pg_stat_statements where it is installed."""
    columns = ("calls", "total ms", "mean ms", "rows", "statement")
    missing = Table(
        "Slow statements",
        columns,
        [],
        "pg_stat_statements is not installed here. Set shared_preload_libraries = 'pg_stat_statements', restart"
        " PostgreSQL and run CREATE EXTENSION pg_stat_statements as a superuser in this database. Until then the log"
        " has every statement slower than 100 ms.",
    )
    found = _rows(
        """
        SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
        WHERE e.extname = 'pg_stat_statements'
        """
    )
    if not found:
        return missing
    try:
        rows = _rows(
            f"""
            SELECT calls, round(total_exec_time::numeric, 1), round(mean_exec_time::numeric, 2), rows, query
            FROM {found[0][0]}.pg_stat_statements
            WHERE userid = (SELECT oid FROM pg_roles WHERE rolname = current_user)
              AND dbid = (SELECT oid FROM pg_database WHERE datname = current_database())
            ORDER BY total_exec_time DESC
            LIMIT %s
            """,  # noqa: S608 - the schema's name comes quoted from the catalogue
            [ROWS],
        )
    except DatabaseError:
        return missing  # made in the database, but the server was not started with its library
    return Table("Slow statements", columns, [(*row[:-1], masked(row[-1])) for row in rows])


def tables() -> Table:
    """The largest tables: size with indexes, and how much of each is dead rows that VACUUM has not taken yet."""
    rows = _rows(
        """
        SELECT s.schemaname || '.' || s.relname, pg_size_pretty(pg_total_relation_size(s.relid)),
               pg_size_pretty(pg_indexes_size(s.relid)), n_live_tup, n_dead_tup,
               round(100.0 * n_dead_tup / nullif(n_live_tup + n_dead_tup, 0), 1),
               greatest(last_vacuum, last_autovacuum)
        FROM pg_stat_user_tables s
        ORDER BY pg_total_relation_size(s.relid) DESC
        LIMIT %s
        """,
        [ROWS],
    )
    columns = ("table", "size", "of it indexes", "live rows", "dead rows", "dead %", "last vacuum")
    bloated = [row[0] for row in rows if row[4] > 10_000 and (row[5] or 0) > 20]
    note = f"More than a fifth dead: {', '.join(bloated)}. Is a transaction held open?" if bloated else ""
    return Table("Tables", columns, rows, note)


def indexes() -> Table:
    """How often each large index is used since the statistics began."""
    rows = _rows(
        """
        SELECT i.schemaname || '.' || i.indexrelname, i.relname, pg_size_pretty(pg_relation_size(i.indexrelid)),
               i.idx_scan, i.last_idx_scan, x.indisunique, pg_relation_size(i.indexrelid)
        FROM pg_stat_user_indexes i
        JOIN pg_index x ON x.indexrelid = i.indexrelid
        ORDER BY pg_relation_size(i.indexrelid) DESC
        LIMIT %s
        """,
        [ROWS],
    )
    ((since,),) = _rows("SELECT stats_reset FROM pg_stat_database WHERE datname = current_database()")
    idle = [row[0] for row in rows if not row[3] and not row[5] and row[6] > LARGE]
    note = f"Counted since {since:%Y-%m-%d %H:%M} UTC." if since else "Counted since the database was made."
    if idle:
        note += f" Never used: {', '.join(idle)}."
    shown = [row[:5] for row in rows]
    return Table("Indexes", ("index", "table", "size", "scans", "last scan"), shown, note)


def masked(statement: str) -> str:
    """A statement as the server has it, without its literals, on one line."""
    return _SPACE.sub(" ", MASKED.sub("?", statement)).strip()[:LONGEST]


def as_plain(value: Any) -> Any:
    """A cell for JSON."""
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return float(value) if isinstance(value, Decimal) else str(value)


def _rows(statement: str, parameters: list[Any] | None = None) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return list(cursor.fetchall())
