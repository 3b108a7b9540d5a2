"""Is the role we are connected as safe? Web and worker refuse to start when it is not."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.db import connection


def problems() -> list[str]:
    """What is wrong with the current role and the tables' guards, a sentence each; empty when all is well."""
    with connection.cursor() as cursor:
        return [*_role_problems(cursor), *_table_problems(cursor)]


def refuse_if_unsafe() -> None:
    """Raise ImproperlyConfigured, naming every problem, unless the role can be trusted to see one tenant at a time."""
    found = problems()
    connection.close()
    if found:
        raise ImproperlyConfigured("the application's database role is unsafe: " + "; ".join(found))


def _role_problems(cursor: Any) -> list[str]:
    cursor.execute(
        """
        SELECT rolname, rolsuper, rolbypassrls,
               (SELECT count(*) FROM pg_class c WHERE c.relowner = r.oid AND c.relkind IN ('r', 'p')),
               ARRAY(SELECT other.rolname FROM pg_roles other
                     WHERE other.oid <> r.oid AND pg_has_role(r.oid, other.oid, 'MEMBER')
                       AND (other.rolsuper OR other.rolbypassrls OR other.rolname LIKE 'frontdesk%%'
                            OR EXISTS (SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                       WHERE c.relowner = other.oid AND c.relrowsecurity)))::text[]
        FROM pg_roles r WHERE rolname = current_user
        """
    )
    name, is_super, bypasses, owned, memberships = cursor.fetchone()
    found = []
    if is_super:
        found.append(f"role {name} is a superuser")
    if bypasses:
        found.append(f"role {name} has BYPASSRLS")
    if owned:
        found.append(f"role {name} owns {owned} tables")
    if memberships and not is_super:
        found.append(f"role {name} is a member of {', '.join(memberships)}")
    return found


def _table_problems(cursor: Any) -> list[str]:
    """Tenant tables and partitions without forced row-level security or without a policy."""
    cursor.execute(
        """
        SELECT format('%I.%I', n.nspname, c.relname)
        FROM pg_class c
        JOIN pg_namespace n ON n.oid = c.relnamespace
        JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
        WHERE c.relkind IN ('r', 'p') AND n.nspname NOT IN ('pg_catalog', 'information_schema')
          AND NOT (c.relrowsecurity AND c.relforcerowsecurity
                   AND EXISTS (SELECT 1 FROM pg_policy p WHERE p.polrelid = c.oid AND p.polwithcheck IS NOT NULL))
        ORDER BY 1
        """
    )
    return [f"table {name} lacks forced row-level security" for (name,) in cursor.fetchall()]
