"""What the owner's role does while everything runs: the only long-running process that may change tables.

It takes its orders from rows, so that web and worker need no such rights. For now its order is one: whatever
partition a
migration or an operator attached stays guarded. Promotion between vector indexes and moves between schemas join it.
"""

import logging

from django.db import connection

from tenants.owner import owner_connection
from tenants.rls import guard_statements

logger = logging.getLogger(__name__)


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
