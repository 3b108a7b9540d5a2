"""A tenant moves between the pool and a schema of its own, while everybody else goes on.

All of it is one transaction of the owner's: its rows are copied table by table, compared, the tenant is sent to the new
place, the old rows are deleted. Whatever goes wrong, a kill at any point included, leaves everything as it was. While
it runs nobody else may begin a transaction of this tenant (sql/enter_tenant.sql): sockets wait, doors answer 503 with
Retry-After, tasks are tried again. Row-level security binds the owner too, so that no statement here can touch a row of
another tenant.

Rows keep the numbers of the transactions that wrote them, which mean the same in both schemas of one cluster: the
rollup goes on where it was. Its folds of all tenants wait for this transaction's end, as for every long one.
"""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass
from typing import Any, Final

from django.db import OperationalError, connection, transaction
from psycopg import errors, sql

from kernel.errors import Conflict, FrontdeskError
from tenants import auditing
from tenants.catalogue import difference, facts
from tenants.context import TenantRef, acting_as
from tenants.db.base import fence
from tenants.models import POOL_SCHEMA, Tenant
from tenants.owned_tables import OwnedTable, owned_tables
from tenants.owner import owner_connection

Report = Callable[[str], None]

FENCE_WAIT_S: Final = 2
"""How long we wait for the tenant's running transactions; nobody else of it can begin one meanwhile."""
FENCE_TRIES: Final = 30
FENCE_PAUSE_S: Final = 1.0

_stills: list[Callable[[], AbstractContextManager[bool]]] = []
_settles: list[Callable[[], None]] = []


class MoveFailed(FrontdeskError):
    """The tenant is where it was, with all its rows; the detail says why."""

    code = "move_failed"


@dataclass(frozen=True, slots=True)
class Moved:
    """What was moved: rows by table, and for how many seconds the tenant was out of reach."""

    rows: dict[str, int]
    seconds: float


def keeps_still(hold: Callable[[], AbstractContextManager[bool]]) -> None:
    """Have `hold` entered for a move: it keeps the owner's other work on tables still, and gives False where it cannot.
    Upper rooms register in AppConfig.ready."""
    _stills.append(hold)


def settles(deed: Callable[[], None]) -> None:
    """Have `deed` done in the new place, as the tenant, in the transaction that moves it: for what depends on the
    tables and not on rows alone. Upper rooms register in AppConfig.ready."""
    _settles.append(deed)


def move(tenant: TenantRef, target: str, report: Report) -> Moved:
    """Move the rows of `tenant` to the schema `target`, which has been made by the migrations. Runs as the owner.

    Raises Conflict where the tenant is there already or other work on tables is going on, MoveFailed where something
    differs, OperationalError where a running transaction of the tenant does not end within a minute or two.
    """
    with ExitStack() as held, owner_connection():
        _refuse_unlike(target)
        for hold in _stills:
            if not held.enter_context(hold()):
                raise Conflict("maintain is changing tables: try again when it is done")
        for attempt in range(FENCE_TRIES):
            try:
                return _transfer(tenant, target, report)
            except OperationalError as error:
                if not isinstance(error.__cause__, errors.LockNotAvailable) or attempt == FENCE_TRIES - 1:
                    raise
                report("a transaction of the tenant is still running: waiting for its end")
                time.sleep(FENCE_PAUSE_S)
    raise AssertionError("the loop returns or raises")


def _refuse_unlike(target: str) -> None:
    lines = difference(facts(POOL_SCHEMA), facts(target))
    if lines:
        raise MoveFailed(f"the schema {target} is not what the migrations promise: {lines[0]}")


def _transfer(tenant: TenantRef, target: str, report: Report) -> Moved:
    tables = [table for table in owned_tables() if not table.in_directory]
    with transaction.atomic():
        _close(tenant)
        began = time.monotonic()
        with acting_as(tenant) as here:
            source = Tenant.objects.select_for_update().values_list("schema_name", flat=True).get(pk=here.id)
            if source == target:
                raise Conflict(f"the tenant's rows are in {target} already")
            rows = {table.name: _copy(table, here, source, target, report) for table in tables}
            _compare(tables, here, source, target)
            Tenant.objects.filter(pk=here.id).update(schema_name=target)
        with acting_as(TenantRef(tenant.id, target)) as there:
            for table in reversed(tables):
                _remove(table, there, source, rows[table.name])
            for deed in _settles:
                deed()
            with connection.cursor() as cursor:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
            moved = auditing.Target("account", tenant.id)
            auditing.record(
                "moved", moved, {"schema": source}, {"schema": target, "rows": sum(rows.values())}
            )
    return Moved(rows, time.monotonic() - began)


def _close(tenant: TenantRef) -> None:
    """Let nobody else begin a transaction of the tenant until this one ends, and wait for those that run."""
    with connection.cursor() as cursor:
        # A backend whose client was killed would otherwise finish its statement first, with the tenant shut out.
        cursor.execute("SET LOCAL client_connection_check_interval = '1s'")
        cursor.execute("SET LOCAL statement_timeout = 0")
        cursor.execute(f"SET LOCAL lock_timeout = '{FENCE_WAIT_S}s'")
        cursor.execute("SELECT pg_advisory_xact_lock(%s)", [fence(tenant.id)])
        cursor.execute("SET LOCAL lock_timeout TO DEFAULT")


def _copy(table: OwnedTable, tenant: TenantRef, source: str, target: str, report: Report) -> int:
    began = time.monotonic()
    with connection.cursor() as cursor:
        cursor.execute(
            _text(
                "INSERT INTO {target} ({columns}) SELECT {columns} FROM {source} WHERE tenant_id = %s ORDER BY {key}",
                table,
                source,
                target,
            ),
            [tenant.id],
        )
        count: int = cursor.rowcount
    if count:
        report(f"{table.name}: {count:,} rows in {time.monotonic() - began:.1f} s")
    return count


def _compare(tables: list[OwnedTable], tenant: TenantRef, source: str, target: str) -> None:
    """Raise MoveFailed unless both places hold the same rows, to the last character."""
    for table in tables:
        before, after = (_sum(table, tenant, schema) for schema in (source, target))
        if before != after:
            raise MoveFailed(
                f"{table.name} differs: {before[0]} rows (sum {before[1]}) in {source}, "
                f"{after[0]} (sum {after[1]}) in {target}. Nothing was moved."
            )


def _sum(table: OwnedTable, tenant: TenantRef, schema: str) -> tuple[int, Any]:
    with connection.cursor() as cursor:
        cursor.execute(
            _text(
                "SELECT count(*), coalesce(sum(hashtextextended(ROW({columns})::text, 0)::numeric), 0) "
                "FROM {source} WHERE tenant_id = %s",
                table,
                schema,
                schema,
            ),
            [tenant.id],
        )
        count, total = cursor.fetchone()
    return count, total


def _remove(table: OwnedTable, tenant: TenantRef, source: str, expected: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(_text("DELETE FROM {source} WHERE tenant_id = %s", table, source, source), [tenant.id])
        if cursor.rowcount != expected:
            raise MoveFailed(
                f"{table.name}: {expected} rows were copied and {cursor.rowcount} found to delete. Nothing was moved."
            )


def _text(statement: str, table: OwnedTable, source: str, target: str) -> str:
    return (
        sql.SQL(statement)
        .format(
            source=sql.Identifier(source, table.name),
            target=sql.Identifier(target, table.name),
            columns=sql.SQL(", ").join(map(sql.Identifier, table.columns)),
            key=sql.SQL(", ").join(map(sql.Identifier, table.key)),
        )
        .as_string()
    )
