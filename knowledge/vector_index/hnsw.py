"""The HNSW graph over the vectors of one table: built and dropped while the table is read and written."""

import logging
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final

from django.db import DatabaseError, connection
from psycopg import sql

logger = logging.getLogger(__name__)

M, EF_CONSTRUCTION = 16, 64
BYTES_PER_CHUNK: Final = 3 * 1024
"""Of a graph under construction: a vector of 2 KiB and its links (measured: 130 MB for 50,000 chunks)."""
MEMORY_MB: Final = (64, 2048)
"""The least and the most memory that one build may use. A graph that does not fit is finished on disk, more slowly."""
WATCH_S: Final = 0.5


def build(schema: str, table: str, chunks: int, on_share: Callable[[float], None]) -> None:
    """Build the graph unless it is there; `on_share` is told, from another thread, how far it is (0 to 1).

    CONCURRENTLY, because rows come and go meanwhile; by one process, because the other cores are the visitors'. What
    an interrupted build has left is invalid and is dropped first.
    """
    state = _state(schema, table)
    if state is True:
        return
    if state is False:
        drop(schema, table)
    memory = min(max(chunks * BYTES_PER_CHUNK // 1024**2, MEMORY_MB[0]), MEMORY_MB[1])
    with connection.cursor() as cursor, _watched(schema, table, on_share):
        # A backend whose client was killed would otherwise go on building, for nobody, and hold its locks.
        cursor.execute("SET client_connection_check_interval = '1s'")
        cursor.execute("SET max_parallel_maintenance_workers = 0")
        cursor.execute(f"SET maintenance_work_mem = '{memory}MB'")
        cursor.execute(
            sql.SQL(
                "CREATE INDEX CONCURRENTLY {} ON {} USING hnsw (embedding public.halfvec_cosine_ops) "
                "WITH (m = {}, ef_construction = {})"
            )
            .format(
                sql.Identifier(_name(table)),
                sql.Identifier(schema, table),
                sql.Literal(M),
                sql.Literal(EF_CONSTRUCTION),
            )
            .as_string()
        )


def drop(schema: str, table: str) -> None:
    """Drop the graph, where there is one. Waits for the searches that walk it."""
    with connection.cursor() as cursor:
        cursor.execute(
            sql.SQL("DROP INDEX CONCURRENTLY IF EXISTS {}")
            .format(sql.Identifier(schema, _name(table)))
            .as_string()
        )


def _name(table: str) -> str:
    return f"{table}_hnsw"


def _state(schema: str, table: str) -> bool | None:
    """Whether the graph is valid; None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT i.indisvalid FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid "
            "WHERE c.relname = %s AND c.relnamespace = %s::regnamespace",
            [_name(table), schema],
        )
        found = cursor.fetchone()
    return found[0] if found else None


def _share_built(schema: str, table: str) -> float | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.blocks_done::float8 / nullif(p.blocks_total, 0) "
            "FROM pg_stat_progress_create_index p JOIN pg_class c ON c.oid = p.relid "
            "WHERE c.relname = %s AND c.relnamespace = %s::regnamespace",
            [table, schema],
        )
        found = cursor.fetchone()
    return found[0] if found else None


@contextmanager
def _watched(schema: str, table: str, on_share: Callable[[float], None]) -> Iterator[None]:
    """Tell `on_share` what PostgreSQL says of the build that the block runs."""
    over = threading.Event()

    def watch() -> None:
        try:
            while not over.wait(WATCH_S):
                share = _share_built(schema, table)
                if share is not None:
                    on_share(share)
        except DatabaseError:
            # The build itself says what is wrong; without a watcher it only goes on unseen.
            logger.warning("the progress of the index on %s.%s cannot be read", schema, table, exc_info=True)
        finally:
            connection.close()  # this thread's own

    watcher = threading.Thread(target=watch, name="index progress", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        over.set()
        watcher.join()
