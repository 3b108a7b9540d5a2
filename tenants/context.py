"""Whom are we acting for? `acting_as` is the one way to a tenant's rows; the six doors use it and nothing goes
round it.

Outside it the application's role sees no tenant's row and cannot write one: PostgreSQL refuses, whatever the code
forgets.
"""

import asyncio
import contextvars
import uuid
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from typing import TYPE_CHECKING, NamedTuple, ParamSpec, TypeVar, cast

from asgiref.sync import sync_to_async
from django.conf import settings
from django.db import connection, transaction
from django_tenants.postgresql_backend.base import FakeTenant

from kernel import observing
from tenants.db.base import DatabaseWrapper, TenantContextError
from tenants.db.errors import TenantMoving

if TYPE_CHECKING:
    from tenants.models import Tenant

__all__ = [
    "TenantContextError",
    "TenantMoving",
    "TenantRef",
    "acting_as",
    "at_home",
    "current_tenant",
    "require_tenant",
    "run_as",
    "run_in_thread",
    "snapshot_as",
]

P = ParamSpec("P")
T = TypeVar("T")

NOBODY = FakeTenant("public")
MOVE_PAUSES = (0.05, 0.1, 0.2, *[0.5] * 59)
"""Half a minute in all."""


class TenantRef(NamedTuple):
    """A tenant as far as the doors need to know it: its id, and the schema that held its rows when somebody asked. Two
    with the same id are the same tenant, wherever either thinks that its rows are."""

    id: uuid.UUID
    schema_name: str

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TenantRef) and self.id == other.id

    def __ne__(self, other: object) -> bool:
        return not self == other

    def __hash__(self) -> int:
        return hash(self.id)


def current_tenant() -> TenantRef | None:
    """Whom this thread acts for, or None."""
    chosen = _connection().tenant
    return chosen if isinstance(chosen, TenantRef) else None


def require_tenant() -> TenantRef:
    """Whom this thread acts for. Raises TenantContextError outside `acting_as`."""
    chosen = current_tenant()
    if chosen is None:
        raise TenantContextError("no tenant: call this inside acting_as()")
    return chosen


def current_tenant_id() -> uuid.UUID | None:
    """The default of every tenant_id column; None outside a context, which the database then refuses."""
    chosen = current_tenant()
    return chosen.id if chosen else None


@contextmanager
def acting_as(tenant: "TenantRef | Tenant") -> Iterator[TenantRef]:
    """A transaction that sees and writes the rows of `tenant` only; a savepoint where one is already open for it.

    Raises TenantContextError when the thread already acts for another tenant: work across tenants is a loop of
    contexts, never a nest. Its first statement raises TenantMoving while the tenant's rows are being moved.
    """
    ref = tenant if isinstance(tenant, TenantRef) else TenantRef(tenant.pk, tenant.schema_name)
    database = _connection()
    outer = current_tenant()
    if outer is not None:
        if outer.id != ref.id:
            raise TenantContextError(f"already acting for tenant {outer.id}, refusing to enter {ref.id}")
        with transaction.atomic():
            yield outer
        return
    # A connection asks the server a few things of its own when it is made, as nobody.
    database.ensure_connection()
    observing.note(tenant_id=ref.id)
    try:
        database.set_tenant(ref)
        with transaction.atomic():
            yield cast(TenantRef, database.tenant)
    finally:
        database.set_tenant(NOBODY)
        database.reapply()


@contextmanager
def at_home(tenant: "TenantRef | None") -> Iterator[TenantRef | None]:
    """`acting_as(tenant)`, where an account is; without a tenant a plain transaction, in which the platform's own
    people are seen and nothing of any tenant's. Raises TenantContextError as `acting_as` does."""
    if tenant is not None:
        with acting_as(tenant):
            yield tenant
        return
    if current_tenant() is not None:
        raise TenantContextError("already acting for a tenant, where the platform's people are not seen")
    with transaction.atomic():
        yield None


@contextmanager
def snapshot_as(tenant: "TenantRef | Tenant") -> Iterator[TenantRef]:
    """Like `acting_as`, but all of it sees the tenant's rows as of one moment and may write none.

    Raises TenantContextError inside a transaction, whose moment is another.
    """
    database = _connection()
    if database.in_atomic_block:
        raise TenantContextError("a snapshot needs a transaction of its own")
    database.begins_with = b" ISOLATION LEVEL REPEATABLE READ READ ONLY"
    try:
        with acting_as(tenant) as ref:
            yield ref
    finally:
        database.begins_with = b""


async def run_as(
    tenant: "TenantRef | Tenant", function: Callable[P, T], *args: P.args, **kwargs: P.kwargs
) -> T:
    """Run one sync function inside `acting_as(tenant)` on a database thread. The only way from async code to a
    tenant's rows. While the tenant is being moved it waits, half a minute at most: nothing was done by then, and what
    a visitor says in these seconds is stored afterwards, not lost. Then it raises TenantMoving."""
    pauses = iter(MOVE_PAUSES)
    while True:
        try:
            return await run_in_thread(partial(_inside, tenant, function, *args, **kwargs))
        except TenantMoving:
            pause = next(pauses, None)
            if pause is None:
                raise
            await asyncio.sleep(pause)


async def run_in_thread(function: Callable[[], T]) -> T:
    """Run one sync function that opens its own contexts on a database thread, and give its connection back to the pool.

    Channels' own helper sends everything through one thread; behind another tenant's slow query a quick call waited
    460 ms there, 2 to 4 ms with eight threads (measured.md section 4). Tests that share one connection set
    DATABASE_THREADS to 0 and get that one thread.
    """
    if not settings.DATABASE_THREADS:
        return await sync_to_async(function, thread_sensitive=True)()
    context = contextvars.copy_context()
    loop = asyncio.get_running_loop()
    return await loop.run_in_executor(_database_threads(), partial(context.run, _then_release, function))


def _inside(tenant: "TenantRef | Tenant", function: Callable[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
    with acting_as(tenant):
        return function(*args, **kwargs)


def _then_release(function: Callable[[], T]) -> T:
    try:
        return function()
    finally:
        connection.close()


@cache
def _database_threads() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(settings.DATABASE_THREADS, thread_name_prefix="database")


def _connection() -> DatabaseWrapper:
    return cast(DatabaseWrapper, connection)
