"""A dedicated schema that no tenant lives in any more goes."""

from django.db import connection
from psycopg import sql

from kernel.errors import Conflict
from tenants.directory import all_tenants
from tenants.models import POOL_SCHEMA
from tenants.owner import owner_connection


def drop_schema(name: str) -> bool:
    """Drop the dedicated schema `name`, as the owner; False where there is none. Raises Conflict for the pool and where
    a tenant, be it a closed one, has its rows there."""
    if name in (POOL_SCHEMA, "public") or any(one.schema_name == name for one in all_tenants(closed=True)):
        raise Conflict(f"{name} is in use")
    with owner_connection(), connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_namespace n JOIN pg_class c ON c.relnamespace = n.oid AND c.relname = 'canaries' "
            "WHERE n.nspname = %s AND n.nspowner = current_user::regrole",
            [name],
        )
        if not cursor.fetchone()[0]:
            return False
        cursor.execute(sql.SQL("DROP SCHEMA {} CASCADE").format(sql.Identifier(name)).as_string())
    return True
