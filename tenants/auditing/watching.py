"""Which tables are watched, as a migration operation beside `GuardTable`: the database itself records each change of
their rows, so that no code can forget to."""

from collections.abc import Iterator, Sequence
from typing import Final

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import Model

from tenants.auditing.kinds import kind_of
from tenants.rls import _table_here

TRIGGER: Final = "audit"
UPDATE_TRIGGER: Final = "audit_update"
# What every row has and no difference need tell: the target is named by its id, and the entry has its own time.
ALWAYS_IGNORED: Final = ("id", "tenant_id", "created_at", "updated_at")
SOMEBODY: Final = "NULLIF(current_setting('app.actor', true), '') IS NOT NULL"


class WatchTable(Operation):
    """Record every change of a model's rows in audit_entries (`tenants.auditing`).

    Columns are shown in `before` and `after`, or `masked` (secrets, hashes: only that they changed is told), or
    `ignored` (what nobody decides, such as a counter): a change of ignored columns alone is no entry and costs next to
    nothing. `named` is the column that people call the row by. With `only_by_somebody` what no actor is named for is
    not recorded: for tables that visitors' chats write too. With `only_changes` new and deleted rows are not recorded,
    because `record` tells of them together. To decide about new columns, watch the table anew in a later migration.

    Only the application's role is watched: what the owner's role moves or deletes for `manage.py maintain` is nobody's
    change, and its own deeds are recorded by `record`.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self,
        model_name: str,
        *,
        named: str = "",
        masked: Sequence[str] = (),
        ignored: Sequence[str] = (),
        only_by_somebody: bool = False,
        only_changes: bool = False,
    ) -> None:
        self.model_name, self.named = model_name, named
        self.masked, self.ignored = masked, ignored
        self.only_by_somebody, self.only_changes = only_by_somebody, only_changes

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Triggers are no part of Django's model state."""

    def database_forwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = _table_here(self.model_name, app_label, editor, to_state)
        if not table:
            return
        columns = _columns(to_state.apps.get_model(app_label, self.model_name))
        told = {*self.masked, *self.ignored, *([self.named] if self.named else [])}
        assert told <= set(columns), f"{self.model_name} has no {told - set(columns)}"
        shown = [column for column in columns if column not in {*self.masked, *self.ignored}]
        kind = kind_of(to_state.apps.get_model(app_label, self.model_name))
        arguments = (kind, self.named, *map(",".join, (shown, self.masked, self.ignored)))
        quoted = ", ".join(f"'{argument}'" for argument in arguments)
        self._drop(editor, table)
        for name, event, condition in self._triggers([*shown, *self.masked]):
            editor.execute(
                f"CREATE TRIGGER {name} AFTER {event} ON {table} FOR EACH ROW "
                f"WHEN ({condition}) EXECUTE FUNCTION public.audit_row({quoted})",
                params=None,
            )

    def _triggers(self, watched: Sequence[str]) -> Iterator[tuple[str, str, str]]:
        """Name, event and condition of each trigger."""
        condition = f"CURRENT_USER = '{settings.APPLICATION_ROLE}'"
        condition += f" AND {SOMEBODY}" if self.only_by_somebody else ""
        if not self.only_changes:
            yield TRIGGER, "INSERT OR DELETE", condition
        columns = ", ".join(f'"{column}"' for column in watched)
        differs = " OR ".join(f'OLD."{column}" IS DISTINCT FROM NEW."{column}"' for column in watched)
        yield UPDATE_TRIGGER, f"UPDATE OF {columns}", f"{condition} AND ({differs})"

    def database_backwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = _table_here(self.model_name, app_label, editor, from_state)
        if table:
            self._drop(editor, table)

    @staticmethod
    def _drop(editor: BaseDatabaseSchemaEditor, table: str) -> None:
        for name in (TRIGGER, UPDATE_TRIGGER):
            editor.execute(f"DROP TRIGGER IF EXISTS {name} ON {table}")

    def describe(self) -> str:
        return f"Record changes of {self.model_name}"


def _columns(model: type[Model]) -> list[str]:
    columns = [field.column for field in model._meta.concrete_fields]
    return [column for column in columns if column and column not in ALWAYS_IGNORED]
