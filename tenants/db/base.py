"""The database backend: django-tenants' schema routing with a tenant switch that lives and dies with a transaction.

The first statement of a transaction carries BEGIN, the search path and the tenant's id in one message, so acting for a
tenant costs no extra round trip and cannot outlive COMMIT or ROLLBACK, behind a transaction pooler too. Session-level
settings would: measured, 217 of 240 such switches leaked or failed behind PgBouncer (measured.md section 2). Who is
acting (`tenants.auditing`) travels in the same message, where somebody may write. A process may believe that a tenant's
rows are where they were an hour ago: the same message (sql/enter_tenant.sql) says where they are, and keeps everybody
out while they are being moved (`tenants.moving`).

* no tenant: nothing is sent; the role's own search path (public) applies and policies show no tenant's rows;
* a tenant outside a transaction: TenantContextError;
* a tenant that is being moved: TenantMoving;
* a schema without a tenant (migrations only): upstream's session-level search path and no tenant id.
"""

import select
import uuid
from contextvars import ContextVar
from functools import lru_cache
from typing import Any, Final, NamedTuple, Protocol

import psycopg
from django.utils.asyncio import async_unsafe
from django_tenants.postgresql_backend import base as upstream
from django_tenants.utils import get_public_schema_name, quote_schema_name
from psycopg import sql
from psycopg.pq import ConnStatus, ExecStatus, TransactionStatus

from tenants.db import slow_queries
from tenants.db.errors import TenantMoving
from tenants.db.prepared import NEVER_UNASKED

TENANT_SETTING: Final = "app.current_tenant_id"
ACTOR_SETTING: Final = "app.actor"
# Who acts in this thread or task, as JSON, for the triggers that write audit_entries; empty: nobody that has a name.
ACTOR: Final[ContextVar[str]] = ContextVar("actor", default="")
# In a transaction that goes on when its tenant's context has ended.
NOBODY_HERE: Final = (
    f"SELECT set_config('search_path', '\"public\"', true), set_config('{TENANT_SETTING}', '', true)".encode()
)
MOVES_FOLLOWED: Final = 3
# Where the rows of tenants are that have moved since somebody in this process was told.
_MOVED: Final[dict[uuid.UUID | None, str]] = {}
STALE_CONNECTIONS_TRIED: Final = 20
CONTEXTS_KEPT: Final = 4096


class TenantContextError(RuntimeError):
    """The tenant context is missing, contradicts itself or could not be set."""


class Schema(Protocol):
    """Whatever names a schema: a TenantRef, a Tenant, or upstream's FakeTenant."""

    @property
    def schema_name(self) -> str: ...


class Applied(NamedTuple):
    """What the open transaction has been told."""

    schema: str
    tenant: str
    actor: str


UNKNOWN: Final = Applied("?", "?", "?")


class DatabaseWrapper(upstream.DatabaseWrapper):  # type: ignore[misc]  # upstream ships no types
    """A connection that knows which tenant it acts for."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._applied: Applied | None = None
        self._session_path = False
        # How the next transaction of a tenant's is opened, besides BEGIN: `tenants.context.snapshot_as` says how.
        self.begins_with = b""
        super().__init__(*args, **kwargs)
        self.execute_wrappers.append(slow_queries.watch)

    def set_tenant(self, tenant: Schema, include_public: bool = True) -> None:
        """Choose whom the next transaction acts for. Only `tenants.context` and migrations call this."""
        home = _MOVED.get(getattr(tenant, "id", None))
        if home is not None and home != tenant.schema_name:
            tenant = tenant._replace(schema_name=home)  # type: ignore[attr-defined]  # only a TenantRef has an id here
        self.tenant = tenant
        self.schema_name = tenant.schema_name
        self.include_public_schema = include_public
        self.set_settings_schema(self.schema_name)
        self.search_path_set_schemas = None

    @property
    def tenant_id(self) -> uuid.UUID | None:
        """The tenant this connection acts for, or None."""
        identifier: uuid.UUID | None = getattr(self.tenant, "id", None)
        return identifier

    def get_connection_params(self) -> dict[str, Any]:
        # Django says None, and then psycopg prepares nothing even when asked to.
        params: dict[str, Any] = super().get_connection_params()
        return {**params, "prepare_threshold": NEVER_UNASKED}

    @async_unsafe
    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A live connection: ones that the server has closed while they lay in the pool are passed over.

        A closed backend makes its idle socket readable, so the check costs no round trip.
        """
        for _ in range(STALE_CONNECTIONS_TRIED):
            connection = super().get_new_connection(conn_params)
            if self.pool is None or _is_alive(connection.pgconn):
                return connection
            connection.close()
            self.pool.putconn(connection)
        raise psycopg.OperationalError("the database closed every pooled connection that was tried")

    def is_usable(self) -> bool:
        return _is_alive(self.connection.pgconn)

    def close(self) -> None:
        self._applied, self._session_path = None, False
        super().close()

    @async_unsafe
    def commit(self) -> None:
        self._applied = None
        super().commit()

    @async_unsafe
    def rollback(self) -> None:
        self._applied = None
        super().rollback()

    @async_unsafe
    def savepoint_rollback(self, sid: str) -> None:
        try:
            super().savepoint_rollback(sid)
        finally:
            # SET LOCAL may or may not have been inside the savepoint: send it again before the next statement.
            if self._applied is not None:
                self._applied = UNKNOWN

    def reapply(self) -> None:
        """Tell an open transaction at once whom it acts for now; used when a nested context ends."""
        if self.in_atomic_block and self._applied is not None and not self.needs_rollback:
            self.ensure_connection()
            self._handle_search_path()

    def _handle_search_path(self, cursor: Any = None) -> None:
        tenant_id = self.tenant_id
        if tenant_id is None and self.schema_name != get_public_schema_name():
            self._session_path = True
            super()._handle_search_path(cursor)
            return
        if self._session_path:
            self.connection.execute("RESET search_path")
            self._session_path = False
        status = self.connection.pgconn.transaction_status
        if status == TransactionStatus.INERROR:
            return
        if tenant_id is None:
            if self._applied is not None and status == TransactionStatus.INTRANS:
                self._execute(NOBODY_HERE)
                self._applied = None
            return
        actor = ACTOR.get()
        wanted = Applied(self.schema_name, str(tenant_id), actor)
        if not self.in_atomic_block and self.autocommit:
            raise TenantContextError(
                f"tenant {tenant_id} is chosen but no transaction is open: use acting_as()"
            )
        if status == TransactionStatus.IDLE:
            # A new transaction knows of nobody, so reading says nothing of an actor.
            self._enter(tenant_id, actor or None, begin=b"BEGIN" + self.begins_with + b";")
        elif self._applied != wanted:
            self._enter(tenant_id, actor)
        self._applied = wanted._replace(schema=self.schema_name)

    def _enter(self, tenant_id: uuid.UUID, actor: str | None, *, begin: bytes = b"") -> None:
        """Tell the transaction whom it acts for, where the tenant's rows are by now. Raises TenantMoving."""
        for _ in range(MOVES_FOLLOWED):
            home = self._execute(begin + _entering(self.schema_name, self._path(), tenant_id, actor))
            if home is None:
                raise TenantMoving("the tenant is being moved to another schema: try again in a moment")
            if home == self.schema_name:
                return
            _MOVED[tenant_id] = home
            self.set_tenant(self.tenant)
            begin = b""
        raise TenantMoving("the tenant moves faster than it can be followed")

    def _path(self) -> str:
        path: str = quote_schema_name(self.schema_name)
        return f"{path}, public" if self.include_public_schema and self.schema_name != "public" else path

    def _execute(self, statement: bytes) -> str | None:
        """One simple-protocol message, one round trip; the first value of its last row."""
        result = self.connection.pgconn.exec_(statement)
        if result.status not in (ExecStatus.TUPLES_OK, ExecStatus.COMMAND_OK):
            reason = (
                result.get_error_message() if hasattr(result, "get_error_message") else result.error_message
            )
            with self.wrap_database_errors:
                raise psycopg.OperationalError(f"could not set the tenant context: {reason!s}")
        value: bytes | None = result.get_value(0, 0)
        return None if value is None else value.decode()


@lru_cache(CONTEXTS_KEPT)
def _entering(schema: str, path: str, tenant_id: uuid.UUID, actor: str | None) -> bytes:
    """The statement that tells a transaction its tenant; to compose it anew each time was half of what a context
    costs."""
    values = (schema, path, str(tenant_id), fence(tenant_id), actor)
    told = sql.SQL(", ").join(sql.Literal(value) for value in values)
    return sql.SQL("SELECT public.enter_tenant({})").format(told).as_bytes()


def fence(tenant_id: uuid.UUID) -> int:
    """The advisory lock of one tenant: shared by its transactions, held alone while it is moved. 64 random bits of its
    id, so that it is nobody else's."""
    return int.from_bytes(tenant_id.bytes[8:], "big", signed=True)


def _is_alive(connection: psycopg.pq.abc.PGconn) -> bool:
    if connection.status != ConnStatus.OK:
        return False
    readable, _, _ = select.select([connection.socket], [], [], 0)
    return not readable
