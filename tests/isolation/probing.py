"""What a tenant can do to another's rows, tried as the application's role in plain SQL: nothing, or it is listed.

Grants are lowered first (the role may do anything to every table, partitions named outright included), so that the
policies and keys are tried alone and not what stands before them.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import psycopg
from psycopg import sql
from psycopg.errors import ForeignKeyViolation, InsufficientPrivilege, UniqueViolation

from config import env
from tenants.context import TenantRef
from tenants.db.base import TENANT_SETTING
from tests import servers
from tests.isolation import twins

# What the application may add and read and nothing else: the grants themselves are the guard, so they stay as made.
APPEND_ONLY: Final = ("audit_entries",)
# Tables with rows of the platform's own people.
PLATFORM_TABLES: Final = (
    "users",
    "auth_sessions",
    "security_keys",
    "staff_second_factors",
    "staff_recovery_codes",
)
POLICY_SPEAKS: Final = "row-level security policy"
SCHEMAS: Final = ("public", "pool", "dedicated_cargo")


@dataclass(frozen=True, slots=True)
class Pair:
    """Two tenants of one schema, with a row each in every table of it."""

    schema: str
    mine: TenantRef
    theirs: TenantRef


@dataclass(frozen=True, slots=True)
class Table:
    """A table to try, as the application may name it: a partition is a table of its own."""

    schema: str
    name: str
    columns: tuple[str, ...]
    owner_column: str

    @property
    def identifier(self) -> sql.Identifier:
        return sql.Identifier(self.schema, self.name)

    @property
    def owner(self) -> sql.Identifier:
        return sql.Identifier(self.owner_column)


class Prober:
    """Tries the boundary in one database, between the tenants of each pair."""

    def __init__(self, database: str, pairs: list[Pair]) -> None:
        self.database, self.pairs = database, pairs
        self.superuser = psycopg.connect(servers.url(env.SUPERUSER_ROLE, database), autocommit=True)
        self.application = psycopg.connect(servers.url(env.APP_ROLE, database))
        self.owner = psycopg.connect(servers.url(env.OWNER_ROLE, database))
        self._lower_grants()

    def close(self) -> None:
        for connection in (self.superuser, self.application, self.owner):
            connection.close()

    def tables(self) -> list[Table]:
        """Every table and partition with tenants' rows, as the models and PostgreSQL's inheritance say."""
        known = {name for name, _ in twins.tables()} | {"tenants"}
        rows = self.superuser.execute(
            "SELECT n.nspname, c.relname, coalesce(p.relname, c.relname), "
            " array(SELECT attname::text FROM pg_attribute a WHERE attrelid = c.oid AND attnum > 0 "
            "       AND NOT attisdropped AND attgenerated = '') "
            "FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace "
            "LEFT JOIN pg_inherits i ON i.inhrelid = c.oid LEFT JOIN pg_class p ON p.oid = i.inhparent "
            "WHERE c.relkind IN ('r', 'p') AND n.nspname = ANY(%s) ORDER BY 1, 2",
            [list(SCHEMAS)],
        ).fetchall()
        return [
            Table(schema, name, tuple(columns), "id" if name == "tenants" else "tenant_id")
            for schema, name, parent, columns in rows
            if parent in known
        ]

    def escapes(self, *, first: str | None = None) -> Iterator[str]:
        """Each way across the boundary that is open, in a sentence. `first` names a table to begin with."""
        for table in sorted(self.tables(), key=lambda table: table.name != first):
            for pair in self._pairs_of(table):
                yield from self._escapes_of(table, pair)
        yield from self._escapes_of_keys()
        yield from self._platform_escapes()
        yield from self._lost_look_ups()

    def _pairs_of(self, table: Table) -> list[Pair]:
        in_schema = [pair for pair in self.pairs if pair.schema == table.schema]
        return in_schema or self.pairs[:1]

    def _escapes_of(self, table: Table, pair: Pair) -> Iterator[str]:
        name = f"{table.schema}.{table.name}"
        select = sql.SQL("SELECT count(*) FROM {} WHERE {} = %s").format(table.identifier, table.owner)
        expected = self.superuser.execute(select, [pair.mine.id]).fetchone()
        with self._acting(pair.mine, pair.schema) as cursor:
            if cursor.execute(select, [pair.mine.id]).fetchone() != expected:
                yield f"{name}: a tenant does not see its own rows"
            if cursor.execute(select, [pair.theirs.id]).fetchone() != (0,):
                yield f"{name}: a tenant reads another's rows"
            for verb in (
                ()
                if table.name in APPEND_ONLY
                else ("UPDATE {0} SET {1} = {1} WHERE {1} = %s", "DELETE FROM {0} WHERE {1} = %s")
            ):
                with _undone(cursor):
                    statement = sql.SQL(verb).format(table.identifier, table.owner)
                    if cursor.execute(statement, [pair.theirs.id]).rowcount:
                        yield f"{name}: a tenant's {verb.split()[0]} reaches another's rows"
        if expected != (0,):
            if not self._is_refused(pair, _write_for(table), [pair.theirs.id, pair.mine.id]):
                yield f"{name}: a tenant inserts a row of another's"
            move = sql.SQL("UPDATE {0} SET {1} = %s WHERE {1} = %s").format(table.identifier, table.owner)
            if table.name in APPEND_ONLY:
                yield from self._rewritten(table, pair, move)
            elif not self._is_refused(pair, move, [pair.theirs.id, pair.mine.id]):
                yield f"{name}: a tenant gives its row to another"
        anybody = sql.SQL("SELECT count(*) FROM {} WHERE {} IS NOT NULL").format(
            table.identifier, table.owner
        )
        for who, connection in (("nobody", self.application), ("the owner without a tenant", self.owner)):
            with _rolled_back(connection) as cursor:
                if cursor.execute(anybody).fetchone() != (0,):
                    yield f"{name}: {who} reads tenants' rows"

    def _rewritten(self, table: Table, pair: Pair, move: sql.Composable) -> Iterator[str]:
        """Ways in which what was recorded can be changed afterwards, also one's own."""
        tries = (
            (move, [pair.theirs.id, pair.mine.id]),
            (sql.SQL("UPDATE {0} SET {1} = {1}").format(table.identifier, table.owner), None),
            (sql.SQL("DELETE FROM {}").format(table.identifier), None),
            (sql.SQL("TRUNCATE {}").format(table.identifier), None),
        )
        for statement, arguments in tries:
            with self._acting(pair.mine, pair.schema) as cursor:
                try:
                    cursor.execute(statement, arguments)
                except InsufficientPrivilege as error:
                    if POLICY_SPEAKS not in str(error):
                        continue
                verb = statement.as_string().split()[0]
                yield f"{table.schema}.{table.name}: a tenant's {verb} reaches what was recorded"

    def _escapes_of_keys(self) -> Iterator[str]:
        for model in twins.owned_models():
            for key in twins.same_tenant_keys(model):
                for pair in self.pairs:
                    yield from self._escapes_of_key(model._meta.db_table, key, pair)

    def _escapes_of_key(self, table: str, key: twins.SameTenantForeignKey, pair: Pair) -> Iterator[str]:
        place = self._place(table, pair)
        parent = sql.Identifier(
            self._place(key.related_model._meta.db_table, pair), key.related_model._meta.db_table
        )
        foreign = self.superuser.execute(
            sql.SQL("SELECT id FROM {} WHERE tenant_id = %s LIMIT 1").format(parent), [pair.theirs.id]
        ).fetchone()
        if foreign is None:
            return  # nothing to point at: `test_every_table_has_a_row_that_could_leak` is for that
        statement = sql.SQL("UPDATE {} SET {} = %s WHERE tenant_id = %s").format(
            sql.Identifier(place, table), sql.Identifier(key.column)
        )
        with self._acting(pair.mine, pair.schema) as cursor:
            try:
                cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
                if cursor.execute(statement, [foreign[0], pair.mine.id]).rowcount:
                    yield f"{place}.{table}.{key.column}: points at another tenant's row"
            except ForeignKeyViolation:
                pass

    def _platform_escapes(self) -> Iterator[str]:
        """People of the platform belong to no tenant: no tenant sees or makes one."""
        pair = self.pairs[0]
        for table in PLATFORM_TABLES:
            place = sql.Identifier("public", table)
            mine, platforms = (
                self._counted(place, where, arguments)
                for where, arguments in (("tenant_id = %s", [pair.mine.id]), ("tenant_id IS NULL", []))
            )
            with self._acting(pair.mine, pair.schema) as cursor:
                statement = sql.SQL("SELECT count(*) FROM {} WHERE tenant_id IS NULL").format(place)
                if cursor.execute(statement).fetchone() != (0,):
                    yield f"public.{table}: a tenant reads the platform's rows"
            move = sql.SQL("UPDATE {} SET tenant_id = NULL WHERE tenant_id = %s").format(place)
            # A database of an earlier version has no rows in a table that it did not have.
            if mine and not self._is_refused(pair, move, [pair.mine.id]):
                yield f"public.{table}: a tenant makes its row the platform's"
            with _rolled_back(self.application) as cursor:
                statement = sql.SQL("SELECT count(*) FROM {}").format(place)
                if cursor.execute(statement).fetchone() != (platforms,):
                    yield f"public.{table}: the platform does not see its own rows"
        price = "UPDATE public.model_prices SET tenant_id = NULL WHERE tenant_id = %s"
        if not self._is_refused(pair, sql.SQL(price), [pair.mine.id]):
            yield "public.model_prices: a tenant makes a price for everybody"
        public = sql.SQL("SELECT count(*) FROM public.model_prices WHERE tenant_id IS NULL")
        with self._acting(pair.mine, pair.schema) as cursor:
            if cursor.execute(public).fetchone() == (0,):
                yield "public.model_prices: a tenant does not see the public prices"
        with _rolled_back(self.owner) as cursor:
            if not cursor.execute(
                "UPDATE public.model_prices SET source = source WHERE tenant_id IS NULL"
            ).rowcount:
                yield "public.model_prices: the owner cannot keep the public prices"
            try:
                cursor.execute(
                    "INSERT INTO public.model_prices "
                    "(tenant_id, provider, model, service, unit, effective_from, source) "
                    "SELECT %s, provider, model, service, unit, effective_from, source "
                    "FROM public.model_prices WHERE tenant_id IS NULL LIMIT 1",
                    [pair.mine.id],
                )
                yield "public.model_prices: the owner makes a tenant's price without the tenant"
            except InsufficientPrivilege:
                pass

    def _lost_look_ups(self) -> Iterator[str]:
        """What must be found before a tenant is known still is; and no more than that is told."""
        mine = self.pairs[0].mine
        tries: dict[str, Callable[[psycopg.Cursor], bool]] = {
            "resolve_tenant": lambda cursor: (
                cursor.execute(
                    "SELECT tenant_id FROM public.resolve_tenant('tenant', %s)", [str(mine.id)]
                ).fetchall()
                == [(mine.id,)]
            ),
            "tenant_ids": lambda cursor: (
                (mine.id,) in cursor.execute("SELECT tenant_id FROM public.tenant_ids(NULL, 1000)").fetchall()
            ),
            "every_tenant_id": lambda cursor: (
                (mine.id,)
                in cursor.execute("SELECT tenant_id FROM public.every_tenant_id(NULL, 1000)").fetchall()
            ),
            "tenants_called": lambda cursor: (
                mine.id
                in [
                    row[0]
                    for row in cursor.execute("SELECT * FROM public.tenants_called('acm', 20)").fetchall()
                ]
            ),
            "due_work_before": lambda cursor: (
                (mine.id,)
                in cursor.execute(
                    "SELECT tenant_id FROM public.due_work_before(%s, now(), 1000)", [twins.SAME]
                ).fetchall()
            ),
        }
        for name, finds in tries.items():
            with _rolled_back(self.application) as cursor:
                try:
                    if not finds(cursor):
                        yield f"{name}: no longer finds the tenant"
                except psycopg.Error as error:
                    yield f"{name}: {error.diag.message_primary}"

    def _counted(self, place: sql.Identifier, where: str, arguments: list[object]) -> int:
        """How many rows there are, whoever may see them."""
        statement = sql.SQL("SELECT count(*) FROM {} WHERE {}").format(place, sql.SQL(where))
        row = self.superuser.execute(statement, arguments).fetchone()
        return int(row[0]) if row else 0

    def _is_refused(self, pair: Pair, statement: sql.Composable, arguments: list[object]) -> bool:
        """Whether a policy refuses the write. A broken key or grant is no refusal of the policy's."""
        with self._acting(pair.mine, pair.schema) as cursor:
            try:
                cursor.execute(statement, arguments)
            except InsufficientPrivilege as error:
                return POLICY_SPEAKS in str(error)
            except (UniqueViolation, ForeignKeyViolation):
                return False
            return False

    def _place(self, table: str, pair: Pair) -> str:
        return "public" if dict(twins.tables())[table] else pair.schema

    @contextmanager
    def _acting(self, tenant: TenantRef, schema: str) -> Iterator[psycopg.Cursor]:
        with _rolled_back(self.application) as cursor:
            cursor.execute(
                "SELECT set_config('search_path', %s, true), set_config(%s, %s, true)",
                [f"{schema}, public", TENANT_SETTING, str(tenant.id)],
            )
            yield cursor

    def _lower_grants(self) -> None:
        for schema in SCHEMAS:
            for role in (env.APP_ROLE, env.OWNER_ROLE):
                self.superuser.execute(
                    sql.SQL("GRANT ALL ON ALL TABLES IN SCHEMA {} TO {}").format(
                        sql.Identifier(schema), sql.Identifier(role)
                    )
                )
        for table in self.tables():
            if table.name in APPEND_ONLY:
                self.superuser.execute(
                    sql.SQL("REVOKE UPDATE, DELETE, TRUNCATE ON {} FROM {}").format(
                        table.identifier, sql.Identifier(env.APP_ROLE)
                    )
                )


def _write_for(table: Table) -> sql.Composed:
    """Insert a copy of one's own row as the first argument's: the policy is asked before any key is."""
    columns = sql.SQL(", ").join(map(sql.Identifier, table.columns))
    values = sql.SQL(", ").join(
        sql.SQL("%s::uuid") if column == table.owner_column else sql.Identifier(column)
        for column in table.columns
    )
    return sql.SQL("INSERT INTO {0} ({1}) SELECT {2} FROM {0} WHERE {3} = %s LIMIT 1").format(
        table.identifier, columns, values, table.owner
    )


@contextmanager
def _rolled_back(connection: psycopg.Connection) -> Iterator[psycopg.Cursor]:
    try:
        with connection.cursor() as cursor:
            yield cursor
    finally:
        connection.rollback()


@contextmanager
def _undone(cursor: psycopg.Cursor) -> Iterator[None]:
    cursor.execute("SAVEPOINT tried")
    yield
    cursor.execute("ROLLBACK TO SAVEPOINT tried")
