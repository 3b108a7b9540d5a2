"""A tenant's own partition of chunk_embeddings: made beside the table, filled, attached, and folded back.

Every step may be repeated, so that after a crash at any point the same steps, run again, come to the same end. Until
the partition is attached nobody reads it; its key to the chunks takes out of it what is deleted meanwhile.
"""

import uuid
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings
from django.db import connection
from psycopg import sql

from knowledge.statements import statement
from knowledge.storage import DEFAULT_PARTITION
from knowledge.vector_index.locking import briefly, ingest_held, lock_ingest
from tenants.context import TenantRef, acting_as
from tenants.partitions import own_partition
from tenants.rls import guard_statements

TABLE: Final = "chunk_embeddings"
BATCH: Final = 2_000
FIRST: Final = uuid.UUID(int=0)
LOCK: Final = "LOCK TABLE {chunks}, public.tenants, ONLY {table}, {default} IN ACCESS EXCLUSIVE MODE"
"""All that ATTACH, DETACH and DROP lock one by one (the keys' triggers stand on chunks and tenants), all at once."""

DELETE_STALE: Final = (
    "DELETE FROM {partition} c WHERE NOT EXISTS (SELECT FROM {table} e WHERE e.tenant_id = {tenant} "
    "AND e.chunk_id = c.chunk_id AND e.embedding_model = c.embedding_model)"
)


class Partition:
    """The own partition of one tenant of the pool. Everything here runs as the owner (`owner_connection`)."""

    def __init__(self, tenant: TenantRef) -> None:
        self.tenant = tenant
        self.name = own_partition(TABLE, tenant.id)
        self._names = {
            "partition": sql.Identifier(tenant.schema_name, self.name),
            "table": sql.Identifier(tenant.schema_name, TABLE),
            "default": sql.Identifier(tenant.schema_name, DEFAULT_PARTITION),
            "chunks": sql.Identifier(tenant.schema_name, "knowledge_chunks"),
            "without": sql.Identifier(f"{TABLE}_without_{tenant.id.hex}"),
            "tenant": sql.Literal(str(tenant.id)),
            "application": sql.Identifier(settings.APPLICATION_ROLE),
        }

    def exists(self) -> bool:
        """Whether the table is there, attached or not."""
        return self._is_there is not None

    def is_attached(self) -> bool:
        """Whether it is where the tenant's vectors stand."""
        return bool(self._is_there)

    def let_in(self) -> None:
        """Take away what a crash in `attach` may have left: while it stands, the tenant cannot publish."""
        if self._scalar(
            "SELECT count(*) FROM pg_constraint WHERE conname = %s",
            f"{TABLE}_without_{self.tenant.id.hex}",
        ):
            briefly(self._text("ALTER TABLE {default} DROP CONSTRAINT IF EXISTS {without}"))

    def create(self) -> None:
        """Make the table as its parent is, guarded as its parent is, and closed to the application's role by name.

        Its keys and its check are there from the start, on an empty table, so that attaching has nothing to look at.
        """
        if self.exists():
            return
        keys = self._column(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE contype = 'f' AND conrelid = %s::regclass",
            self._text("{table}"),
        )
        options = self._column(
            "SELECT unnest(reloptions) FROM pg_class WHERE oid = %s::regclass",
            self._text("{default}"),
        )
        partition = self._text("{partition}")
        # In the tenant's context, for its search path: a key's definition names its table without the schema.
        with acting_as(self.tenant):
            briefly(
                self._text(
                    "CREATE TABLE {partition} (LIKE {table} INCLUDING ALL, CHECK (tenant_id = {tenant}))"
                ),
                *(f"ALTER TABLE {partition} ADD {key}" for key in keys),
                *([f"ALTER TABLE {partition} SET ({', '.join(options)})"] if options else []),
                *guard_statements(partition),
                self._text("REVOKE ALL ON {partition} FROM {application}"),
            )

    def copy(self, on_share: Callable[[float], None] = lambda share: None) -> int:
        """Copy what is missing, a batch at a time with ingest let in between; how many vectors. `on_share`: 0 to 1."""
        copied, last = 0, FIRST
        with acting_as(self.tenant):
            total = self._scalar(self._text("SELECT count(*) FROM {table} WHERE tenant_id = {tenant}"))
        while True:
            with acting_as(self.tenant):
                lock_ingest()
                count, reached = self._copy(last, BATCH)
            if not count:
                return copied
            copied, last = copied + count, reached
            on_share(min(1.0, copied / max(total, 1)))

    def freshen(self) -> None:
        """Gather statistics, and mark pages so that codes are read from the index alone."""
        self._run(self._text("VACUUM (ANALYZE) {partition}"))

    def attach(self, when_there: Callable[[], None]) -> None:
        """Make the partition the place of the tenant's vectors, in one commit together with `when_there`.

        The tenant's ingest waits meanwhile; searches wait some milliseconds, or pass until the locks are to be had.
        ATTACH refuses while the default partition holds the tenant's rows, and reads all of it to be sure; the check,
        validated before the locks are taken, spares it that (measured.md section 2). The locks are taken on the parent
        too: a search that had already looked up the partitions would otherwise miss the new one.
        """
        with ingest_held(self.tenant):
            with acting_as(self.tenant):
                self._run(self._text(DELETE_STALE))
                self._copy(FIRST, None)
            briefly(
                self._text(
                    "ALTER TABLE {default} ADD CONSTRAINT {without} CHECK (tenant_id <> {tenant}) NOT VALID"
                )
            )
            try:
                with acting_as(self.tenant):
                    self._run(self._text("DELETE FROM {table} WHERE tenant_id = {tenant}"))
                    self._run(self._text("ALTER TABLE {default} VALIDATE CONSTRAINT {without}"))
                    briefly(
                        self._text(LOCK),
                        self._text(
                            "ALTER TABLE {table} ATTACH PARTITION {partition} FOR VALUES IN ({tenant})"
                        ),
                        self._text("ALTER TABLE {default} DROP CONSTRAINT {without}"),
                    )
                    when_there()
            except Exception:
                self.let_in()
                raise

    def fold_back(self, at_most: int) -> bool:
        """Put the rows back among everybody's and drop the partition, where they are `at_most` so many. Everybody's
        searches wait for as long as that takes. False where they are more: the partition stays."""
        with acting_as(self.tenant):
            lock_ingest()
            if self._scalar(self._text("SELECT count(*) FROM {table} WHERE tenant_id = {tenant}")) > at_most:
                return False
            briefly(
                self._text(LOCK),
                self._text("ALTER TABLE {table} DETACH PARTITION {partition}"),
                self._text(
                    "INSERT INTO {table} (tenant_id, chunk_id, embedding, embedding_model) "
                    "SELECT tenant_id, chunk_id, embedding, embedding_model FROM {partition}"
                ),
                self._text("DROP TABLE {partition}"),
            )
        return True

    def drop(self) -> None:
        """Drop the table and all in it: a copy that is not wanted any more, or what a deleted tenant has left."""
        self.let_in()
        if self.exists():
            briefly(self._text(LOCK), self._text("DROP TABLE {partition}"))

    @property
    def _is_there(self) -> bool | None:
        """Whether it is attached; None where there is no such table."""
        found = self._column(
            "SELECT relispartition FROM pg_class WHERE relname = %s AND relnamespace = %s::regnamespace",
            self.name,
            self.tenant.schema_name,
        )
        return found[0] if found else None

    def _copy(self, after: uuid.UUID, limit: int | None) -> tuple[int, uuid.UUID]:
        text = sql.SQL(statement("copy_vectors")).format(partition=self._names["partition"]).as_string()
        with connection.cursor() as cursor:
            cursor.execute(text, {"tenant": self.tenant.id, "after": after, "limit": limit})
            count, last = cursor.fetchone()
        return count, last

    def _text(self, template: str) -> str:
        return sql.SQL(template).format(**self._names).as_string()

    @staticmethod
    def _run(text: str) -> None:
        with connection.cursor() as cursor:
            cursor.execute(text)

    @classmethod
    def _scalar(cls, text: str, *arguments: str) -> int:
        return int(cls._column(text, *arguments)[0])

    @staticmethod
    def _column(text: str, *arguments: str) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(text, arguments or None)
            return [value for (value,) in cursor.fetchall()]
