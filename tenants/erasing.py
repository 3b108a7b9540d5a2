"""Erasing a tenant: every row, vector, file and key of Redis, counted before and after, in batches.

Runs as the owner's role, acting for the tenant, so that it sees this tenant's rows alone. Children go before what they
point at, some thousands of rows in a transaction; what finds the tenant again (its row, directory keys, promises) goes
last and at once. So it can be stopped anywhere and run again.
"""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import unquote, urlsplit

import redis
from django.conf import settings
from django.db import connection, transaction
from psycopg import sql

from kernel import clock
from tenants.context import TenantRef, acting_as
from tenants.models import Tenant
from tenants.owned_tables import OwnedTable, owned_tables
from tenants.owner import owner_connection

BATCH: Final = 5_000
LAST: Final = ("directory_keys", "due_work")
"""What leads to the tenant: deleted together with its own row."""
SCANNED_AT_ONCE: Final = 1_000

Report = Callable[[str], None]


class Holding(NamedTuple):
    """Something held of a tenant outside the tables of models: how much, and how to erase it, which may be repeated."""

    name: str
    count: Callable[[TenantRef], int]
    erase: Callable[[TenantRef], None]


_holdings: dict[str, Holding] = {}


def holds(name: str, count: Callable[[TenantRef], int], erase: Callable[[TenantRef], None]) -> None:
    """Have this counted and erased with every tenant, as the owner's role and after the rows. For upper rooms."""
    _holdings[name] = Holding(name, count, erase)


def erase(ref: TenantRef, report: Report) -> dict[str, Any]:
    """Erase the tenant; the receipt: who it was, Stripe's names for it, and what there was before and is after of each
    table, file and key. Nothing is left where every "after" is 0.

    The tenant must be closed: a door that is open would write on.
    """
    with owner_connection():
        receipt = _who(ref)
        before = count(ref)
        for table in reversed(owned_tables()):
            if table.name not in LAST:
                _empty(ref, table, before[f"table: {table.name}"], report)
        for held in _everything_else():
            held.erase(ref)
        _let_go(ref)
        after = count(ref)
    receipt["counted"] = {name: {"before": before[name], "after": after[name]} for name in before}
    receipt["erased_at"] = clock.now().isoformat()
    return receipt


def count(ref: TenantRef) -> dict[str, int]:
    """How much of the tenant there is, by table and by whatever else is held of it."""
    found: dict[str, int] = {}
    with acting_as(ref), connection.cursor() as cursor:
        for table in owned_tables():
            cursor.execute(_text("SELECT count(*) FROM {table} WHERE tenant_id = {tenant}", ref, table))
            found[f"table: {table.name}"] = cursor.fetchone()[0]
        found["table: tenants"] = Tenant.objects.filter(pk=ref.id).count()
    return found | {held.name: held.count(ref) for held in _everything_else()}


def _who(ref: TenantRef) -> dict[str, Any]:
    with acting_as(ref):
        tenant = Tenant.objects.get(pk=ref.id)
        return {
            "tenant": str(tenant.pk),
            "slug": tenant.slug,
            "name": tenant.name,
            "schema": ref.schema_name,
            "stripe_customer_id": tenant.stripe_customer_id,
            "stripe_subscription_id": tenant.stripe_subscription_id,
        }


def _empty(ref: TenantRef, table: OwnedTable, expected: int, report: Report) -> None:
    """Delete the tenant's rows of one table, a batch in a transaction, so that no lock is held for long."""
    key = sql.SQL(", ").join(map(sql.Identifier, table.key))
    statement = _text(
        "DELETE FROM {table} WHERE tenant_id = {tenant} AND ({key}) IN "
        "(SELECT {key} FROM {table} WHERE tenant_id = {tenant} LIMIT {batch})",
        ref,
        table,
        key=key,
        batch=sql.Literal(BATCH),
    )
    gone = 0
    while True:
        with acting_as(ref), connection.cursor() as cursor:
            cursor.execute(statement)
            deleted = cursor.rowcount
        gone += deleted
        if deleted:
            report(f"{table.name}: {gone:,} of {max(expected, gone):,}")
        if deleted < BATCH:
            return


def _let_go(ref: TenantRef) -> None:
    """The last transaction: fails, and changes nothing, where a row still points at the tenant."""
    with acting_as(ref), transaction.atomic(), connection.cursor() as cursor:
        for table in owned_tables():
            if table.name in LAST:
                cursor.execute(_text("DELETE FROM {table} WHERE tenant_id = {tenant}", ref, table))
        cursor.execute("DELETE FROM public.tenants WHERE id = %s", [ref.id])


def _text(template: str, ref: TenantRef, table: OwnedTable, **parts: sql.Composable) -> str:
    schema = "public" if table.in_directory else ref.schema_name
    return (
        sql.SQL(template)
        .format(table=sql.Identifier(schema, table.name), tenant=sql.Literal(str(ref.id)), **parts)
        .as_string()
    )


def _everything_else() -> list[Holding]:
    own = [
        Holding("redis: stream entries", _stream_entries, lambda ref: None),
        Holding("redis: keys", lambda ref: len(_keys(ref)), _forget_keys),
        Holding("files", _files, _forget_files),
    ]
    return [*_holdings.values(), *own]


def _keys(ref: TenantRef) -> list[bytes]:
    """Every key whose name holds the tenant's id, and the tickets that stand for it."""
    client, tenant = _redis(), str(ref.id).encode()
    found = list(client.scan_iter(f"*{ref.id}*", count=SCANNED_AT_ONCE))
    for name in client.scan_iter("fd:ticket:*", count=SCANNED_AT_ONCE):
        content = client.get(name)
        if isinstance(content, bytes) and tenant in content:
            found.append(name)
    return found


def _stream_entries(ref: TenantRef) -> int:
    client = _redis()
    streams = [name for name in _keys(ref) if client.type(name) == b"stream"]
    entries: list[int] = [client.xlen(name) for name in streams]  # type: ignore[misc]  # redis-py types both its kinds
    return sum(entries)


def _forget_keys(ref: TenantRef) -> None:
    names = _keys(ref)
    if names:
        _redis().unlink(*names)


def _folder(ref: TenantRef) -> Path:
    """Everything that the tenant has in STORAGE_URL is below the folder of its id."""
    return Path(unquote(urlsplit(settings.STORAGE_URL).path)) / str(ref.id)


def _files(ref: TenantRef) -> int:
    return sum(path.is_file() for path in _folder(ref).rglob("*"))


def _forget_files(ref: TenantRef) -> None:
    shutil.rmtree(_folder(ref), ignore_errors=True)


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
