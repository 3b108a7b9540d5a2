"""How tables are stored, as migration operations: partitions and options that Django's CreateModel cannot say."""

from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState

from tenants.placement import PlacementRouter
from tenants.rls import guard_statements

FOLDER: Final = Path(__file__).resolve().parent / "sql"
DEFAULT_PARTITION: Final = "chunk_embeddings_default"


class WhereItLives(Operation):
    """An operation on a model's table that runs only in the schemas that hold it."""

    reversible = True
    reduces_to_sql = False

    def __init__(self, model_name: str) -> None:
        self.model_name = model_name

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """How a table is stored is no part of Django's model state."""

    def is_here(self, app_label: str, editor: Any) -> bool:
        """Whether the schema being migrated holds the table."""
        return bool(
            PlacementRouter().allow_migrate(
                editor.connection.alias, app_label, model_name=self.model_name.lower()
            )
        )


class CreatePartitioned(WhereItLives):
    """Make `table` and its first partition from `knowledge/sql/<script>.sql`, and guard the partition.

    The partition takes the rows of every tenant without one of its own. It gets policy and FORCE like the parent, and
    the application's role loses its grants on it: with them it could name the partition and read round the parent.
    """

    def __init__(self, model_name: str, table: str, partition: str, script: str) -> None:
        super().__init__(model_name)
        self.table, self.partition, self.script = table, partition, script

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if self.is_here(app_label, editor):
            editor.execute((FOLDER / f"{self.script}.sql").read_text())
            for statement in guard_statements(editor.quote_name(self.partition)):
                editor.execute(statement)
            role = editor.quote_name(settings.APPLICATION_ROLE)
            editor.execute(f"REVOKE ALL ON {editor.quote_name(self.partition)} FROM {role}")

    def database_backwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if self.is_here(app_label, editor):
            editor.execute(f"DROP TABLE {editor.quote_name(self.table)}")

    def describe(self) -> str:
        return f"Create the partitioned table {self.table}"


class StoreInline(WhereItLives):
    """Keep `column` in the row, uncompressed up to a page, and leave room beside each row for its next version.

    For rows that are rewritten often: out of line, every rewrite would leave dead pieces that only a vacuum frees; in
    the page, the next rewrite reuses the place. Measured for postings, 476 documents one by one without a vacuum: 1.44
    bytes of index per byte of text like this, 1.86 with PostgreSQL's defaults.
    """

    def __init__(self, model_name: str, table: str, column: str) -> None:
        super().__init__(model_name)
        self.table, self.column = table, column

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if self.is_here(app_label, editor):
            table, column = editor.quote_name(self.table), editor.quote_name(self.column)
            editor.execute(f"ALTER TABLE {table} ALTER COLUMN {column} SET STORAGE MAIN")
            editor.execute(f"ALTER TABLE {table} SET (toast_tuple_target = 8160, fillfactor = 70)")

    def database_backwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        """Nothing to undo: the operation before this one made the table."""

    def describe(self) -> str:
        return f"Store {self.table}.{self.column} in its rows"
