"""The table of vectors, partitioned by tenant, as migration operations: Django's CreateModel cannot partition."""

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


class CreatePartitioned(Operation):
    """Make `table` and its first partition from `knowledge/sql/<script>.sql`, and guard the partition.

    The partition takes the rows of every tenant without one of its own. It gets policy and FORCE like the parent, and
    the application's role loses its grants on it: with them it could name the partition and read round the parent.
    """

    reversible = True
    reduces_to_sql = False

    def __init__(self, model_name: str, table: str, partition: str, script: str) -> None:
        self.model_name, self.table, self.partition, self.script = model_name, table, partition, script

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The model's state is made by the CreateModel beside this operation."""

    def database_forwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if self._is_here(app_label, editor):
            editor.execute((FOLDER / f"{self.script}.sql").read_text())
            for statement in guard_statements(editor.quote_name(self.partition)):
                editor.execute(statement)
            role = editor.quote_name(settings.APPLICATION_ROLE)
            editor.execute(f"REVOKE ALL ON {editor.quote_name(self.partition)} FROM {role}")

    def database_backwards(
        self, app_label: str, editor: BaseDatabaseSchemaEditor, before: ProjectState, after: ProjectState
    ) -> None:
        if self._is_here(app_label, editor):
            editor.execute(f"DROP TABLE {editor.quote_name(self.table)}")

    def describe(self) -> str:
        return f"Create the partitioned table {self.table}"

    def _is_here(self, app_label: str, editor: Any) -> bool:
        return bool(
            PlacementRouter().allow_migrate(
                editor.connection.alias, app_label, model_name=self.model_name.lower()
            )
        )
