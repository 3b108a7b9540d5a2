"""Work that must be looked at by a certain time even if the process that does it dies.

A row is written in the transaction that starts the work and deleted in the one that ends it; beat asks for what is
overdue. So a lost Celery message, a killed web process or an emptied Redis delays work and never loses it.
"""

import uuid
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from tenants.context import TenantRef, require_tenant


class Overdue(NamedTuple):
    """A piece of work whose time has come."""

    tenant: TenantRef
    key: uuid.UUID


def promise(kind: str, key: uuid.UUID, due_at: datetime) -> None:
    """`key` must be looked at by `due_at` unless it is kept before; promising again moves the time."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO public.due_work (kind, key, tenant_id, due_at) VALUES (%s, %s, %s, %s) "
            "ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at",
            [kind, key, require_tenant().id, due_at],
        )


def keep(kind: str, key: uuid.UUID) -> None:
    """The work is done: nobody need look."""
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM public.due_work WHERE kind = %s AND key = %s", [kind, key])


def overdue(kind: str, before: datetime, limit: int = 100) -> list[Overdue]:
    """Up to `limit` pieces of work of any tenant due before `before`, longest overdue first."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT tenant_id, schema_name, key FROM public.due_work_before(%s, %s, %s)",
            [kind, before, limit],
        )
        return [Overdue(TenantRef(tenant, schema), key) for tenant, schema, key in cursor.fetchall()]
