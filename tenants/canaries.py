"""Canaries: one row per tenant that nobody else may ever see, and a round that looks whether anybody can.

Beat visits tenants in turn (`sound_off`). As each of them it asks every table with tenants' rows for rows of another
tenant, its neighbour; row-level security must show none. One that shows is a breach: it is logged as critical,
`/readyz` fails until an operator clears it (`forget_breaches`), and so no load balancer sends anybody here.
"""

import json
import logging
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, Final, cast
from uuid import UUID

import redis
from django.conf import settings
from django.db import connection
from psycopg import sql

from kernel.clock import now
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants

VISITED_PER_ROUND: Final = 200
BREACHES_KEPT: Final = 20
_NEXT: Final = "frontdesk:canaries:next"
_LAST: Final = "frontdesk:canaries:last"
_BREACHES: Final = "frontdesk:canaries:breaches"

TABLES: Final = """
    SELECT n.nspname, c.relname
    FROM pg_class c
    JOIN pg_namespace n ON n.oid = c.relnamespace
    JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
    WHERE c.relkind IN ('r', 'p') AND NOT n.nspname LIKE 'pg\\_%%' AND has_table_privilege(c.oid, 'SELECT')
    ORDER BY 1, 2
"""

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Round:
    """What one round found: when (ISO 8601, UTC), how many tenants were visited, how many tables each was asked."""

    at: str
    tenants: int
    tables: int
    breaches: list[str]


def sound_off(limit: int = VISITED_PER_ROUND) -> Round:
    """Visit the next `limit` tenants, going on where the last round ended, and remember what was found."""
    client = _redis()
    visited, tables, breaches = 0, 0, list[str]()
    tenants = list(_next_tenants(client, limit))
    for tenant, neighbour in zip(tenants, [*tenants[1:], *tenants[:1]], strict=True):
        found, tables = visit(tenant, neighbour if neighbour.id != tenant.id else None)
        breaches += found
        visited += 1
    done = Round(now().isoformat(), visited, tables, breaches[:BREACHES_KEPT])
    client.set(_LAST, json.dumps({"at": done.at, "tenants": visited, "tables": tables}))
    if breaches:
        client.rpush(_BREACHES, *done.breaches)
        client.ltrim(_BREACHES, 0, BREACHES_KEPT - 1)
        _log.critical("isolation is broken: %s", "; ".join(done.breaches))
    return done


def visit(tenant: TenantRef, neighbour: TenantRef | None) -> tuple[list[str], int]:
    """As `tenant`: what can be seen of `neighbour`, a sentence per table, and how many tables were asked.

    The canary table is asked for any row but the tenant's own, so that a neighbour is not needed there.
    """
    with acting_as(tenant), connection.cursor() as cursor:
        cursor.execute("INSERT INTO canaries (tenant_id) VALUES (%s) ON CONFLICT DO NOTHING", [tenant.id])
        cursor.execute("SELECT tenant_id FROM canaries")
        seen = [owner for (owner,) in cursor.fetchall()]
        cursor.execute(TABLES)
        tables = cursor.fetchall()
        found = [f"tenant {tenant.id} sees the canary of {owner}" for owner in seen if owner != tenant.id]
        if tenant.id not in seen:
            found.append(f"tenant {tenant.id} does not see its own canary")
        if neighbour:
            shown = _tables_showing(cursor, tables, neighbour.id)
            found += [f"tenant {tenant.id} sees rows of {neighbour.id} in {table}" for table in shown]
    return found, len(tables)


def _tables_showing(cursor: Any, tables: Iterable[tuple[str, str]], other: UUID) -> list[str]:
    # Two equalities on an index's first column contradict each other: no index is read, however large the tenant.
    question = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {} WHERE tenant_id = {})").format(
            ".".join(table), sql.Identifier(*table), sql.Literal(other)
        )
        for table in tables
    )
    cursor.execute(question)
    return [table for (table,) in cursor.fetchall()]


def last_round() -> dict[str, Any] | None:
    """When beat last looked: `{"at", "tenants", "tables"}`; None when it has not yet."""
    kept = cast("bytes | None", _redis().get(_LAST))
    return json.loads(kept) if kept else None


def breaches() -> list[str]:
    """What rounds have found and nobody has cleared yet; empty where isolation holds."""
    kept = cast("list[bytes]", _redis().lrange(_BREACHES, 0, -1))
    return [line.decode() for line in kept]


def forget_breaches() -> None:
    """Clear what was found: for the operator, once the cause is known and mended."""
    _redis().delete(_BREACHES)


def _next_tenants(client: redis.Redis, limit: int) -> Iterable[TenantRef]:
    kept = cast("bytes | None", client.get(_NEXT))
    tenants = list(islice(all_tenants(after=UUID(kept.decode()) if kept else None), limit))
    if len(tenants) < limit:
        client.delete(_NEXT)
    else:
        client.set(_NEXT, str(tenants[-1].id))
    return tenants


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
