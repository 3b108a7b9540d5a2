"""What the owner's role does while everything runs: the only long-running process that may change tables.

It takes its orders from rows, so that web and worker need no such rights. Whatever partition a migration or an operator
attached stays guarded; upper rooms register what else they want done in a round.
"""

import logging
import time
from collections.abc import Callable
from typing import Final

from django.db import connection

from tenants.owner import owner_connection
from tenants.rls import guard_statements

Report = Callable[[str], None]

GUARD_EVERY_S: Final = 60.0

logger = logging.getLogger(__name__)
_deeds: list[Callable[[Report], None]] = []
_guarded_at = float("-inf")


def on_round(deed: Callable[[Report], None]) -> None:
    """Have `deed` done in every round of maintain; it gets a function that prints a line."""
    _deeds.append(deed)


def one_round(report: Report) -> None:
    """Everything that is due now. Raises DatabaseError where the database is away."""
    global _guarded_at
    if time.monotonic() - _guarded_at > GUARD_EVERY_S:
        guard_partitions()
        _guarded_at = time.monotonic()
    for deed in _deeds:
        deed(report)


def guard_partitions() -> list[str]:
    """Guard every partition that is not, as its parent is; their names. Runs as the owner."""
    with owner_connection(), connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT format('%I.%I', n.nspname, c.relname)
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relispartition AND c.relkind IN ('r', 'p') AND c.relowner = current_user::regrole
              AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
            ORDER BY 1
            """
        )
        bare = [name for (name,) in cursor.fetchall()]
        for name in bare:
            for statement in guard_statements(name):
                cursor.execute(statement)
            logger.warning("partition %s had no row-level security of its own; it has now", name)
    return bare
