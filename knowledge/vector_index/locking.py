"""Locks that a change of tables needs, taken so that nobody waits long behind us."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.db import OperationalError, connection, transaction
from psycopg import errors

from knowledge.models import KnowledgeTotals
from tenants.context import TenantRef
from tenants.db.base import TENANT_SETTING
from tenants.owner import beside

WAIT_MS: Final = 200
"""How long we queue for a lock that stops others: so long do they queue behind us, at most."""
TRIES: Final = 20
PAUSE_S: Final = 0.15
INGEST_WAIT_S: Final = 10
RUNNING: Final = 0x66_64_76_69
"""The advisory lock of whoever carries out changes: one process at a time ("fdvi")."""
UNAVAILABLE: Final = (errors.LockNotAvailable, errors.DeadlockDetected)


class Busy(Exception):
    """Others held a lock for longer than we want anybody to wait; to be tried again later."""


def briefly(*statements: str) -> None:
    """Run statements that need locks which stop others, all or none. Each try waits 0.2 s for them; between tries
    everybody passes. Raises Busy after some ten seconds. Inside a transaction it is a savepoint of it."""
    for attempt in range(TRIES):
        try:
            with transaction.atomic(), connection.cursor() as cursor:
                cursor.execute(f"SET LOCAL lock_timeout = {WAIT_MS}")
                for statement in statements:
                    cursor.execute(statement)
                cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
            return
        except OperationalError as error:
            if not isinstance(error.__cause__, UNAVAILABLE):
                raise
            time.sleep(PAUSE_S * (1 + attempt % 3))
    raise Busy("the tables are in use: a lock could not be had")


def lock_ingest() -> None:
    """Until the transaction ends, nothing is published or withdrawn for the acting tenant. Raises Busy."""
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL lock_timeout = '{INGEST_WAIT_S}s'")
            list(KnowledgeTotals.objects.select_for_update().values_list("pk"))
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
    except OperationalError as error:
        raise _as_busy(error) from error


@contextmanager
def ingest_held(tenant: TenantRef) -> Iterator[None]:
    """The same for a block of several transactions, from a second connection. A kill of this process ends it."""
    with beside() as side, side.transaction():
        side.execute(
            "SELECT set_config('search_path', quote_ident(%s) || ', public', true), set_config(%s, %s, true)",
            [tenant.schema_name, TENANT_SETTING, str(tenant.id)],
        )
        side.execute(f"SET LOCAL lock_timeout = '{INGEST_WAIT_S}s'")
        try:
            side.execute("SELECT FROM knowledge_totals WHERE tenant_id = %s FOR UPDATE", [tenant.id])
        except UNAVAILABLE as error:
            raise Busy("a large document is being published") from error
        yield


@contextmanager
def alone() -> Iterator[bool]:
    """Whether we are the only one who carries out changes; True holds until the block ends."""
    with beside() as side:
        found = side.execute("SELECT pg_try_advisory_lock(%s)", [RUNNING]).fetchone()
        yield bool(found and found[0])


def _as_busy(error: OperationalError) -> Exception:
    return Busy("a large document is being published") if isinstance(error.__cause__, UNAVAILABLE) else error
