"""Names that are unique over all tenants, and the way from such a name to its tenant before a tenant is known."""

import uuid
from collections.abc import Iterator
from typing import Final

from django.db import IntegrityError, connection, transaction

from kernel.errors import Conflict
from tenants.context import TenantRef, require_tenant
from tenants.db.prepared import prepared_cursor
from tenants.models import DirectoryKey, KeyKind

PAGE: Final = 500


def resolve_tenant(kind: KeyKind, key: str) -> TenantRef | None:
    """The tenant that `key` belongs to, or None when unknown or when the tenant is suspended or closed.

    One indexed read through a SECURITY DEFINER function: it says whose key it is and nothing else.
    """
    with prepared_cursor() as cursor:
        cursor.execute("SELECT tenant_id, schema_name FROM public.resolve_tenant(%s, %s)", [kind.value, key])
        row = cursor.fetchone()
    return TenantRef(*row) if row else None


def all_tenants(after: uuid.UUID | None = None, *, closed: bool = False) -> Iterator[TenantRef]:
    """Every tenant (with an id above `after`; `closed`: closed ones too), in pages and by id, for work that must visit
    each; enter them one at a time with `acting_as`."""
    function = "every_tenant_id" if closed else "tenant_ids"
    while True:
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT tenant_id, schema_name FROM public.{function}(%s, %s)", [after, PAGE])  # noqa: S608 - one of two names of ours
            rows = [TenantRef(*row) for row in cursor.fetchall()]
        yield from rows
        if len(rows) < PAGE:
            return
        after = rows[-1].id


def claim(kind: KeyKind, key: str) -> None:
    """Make `key` lead to the acting tenant. Raises Conflict when it is taken, by whomever."""
    try:
        with transaction.atomic():
            DirectoryKey.objects.create(kind=kind, key=key, tenant_id=require_tenant().id)
    except IntegrityError as error:
        raise Conflict(f"{kind.label.lower()} is already in use") from error


def release(kind: KeyKind, key: str) -> None:
    """Forget `key` of the acting tenant."""
    DirectoryKey.objects.filter(kind=kind, key=key).delete()
