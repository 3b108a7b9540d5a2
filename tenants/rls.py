"""Row-level security as migration operations: which rows a role may see is part of the schema, like a column.

Foreign-key checks bypass row-level security (shown in measured.md section 2), so a plain key lets one tenant point at
another's row. Keys between tenant-owned tables are therefore composite: (tenant_id, x_id) to (tenant_id, id).
"""

from collections.abc import Sequence
from typing import Any, Final

from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django.db.models import ForeignKey, Model

from tenants.db.base import TENANT_SETTING
from tenants.placement import PlacementRouter

# The setting is NULL in a fresh session and '' after SET LOCAL has ended: NULLIF treats both as nobody.
# Inline, never a sub-SELECT: the planner must see the tenant to know its size (measured.md section 3).
CURRENT_TENANT: Final = f"NULLIF(current_setting('{TENANT_SETTING}', true), '')::uuid"

POLICY: Final = "tenant_isolation"
PLATFORM_POLICY: Final = "platform_rows"
LOOKUP_POLICY: Final = "lookup"
LOOKUP_ROLE: Final = "frontdesk_lookup"


class GuardTable(Operation):
    """Force row-level security on a model's table: its tenant sees its rows, everybody else none.

    `column` names the tenant (tenants' own table: id). `platform_rows` lets rows without a tenant, the platform's own,
    be seen and written where no tenant is chosen. `lookup` names the columns that the NOLOGIN owner of the look-up
    functions (`tenants.lookup`) may read, of every row.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(
        self,
        model_name: str,
        *,
        column: str = "tenant_id",
        platform_rows: bool = False,
        lookup: Sequence[str] = (),
    ) -> None:
        self.model_name, self.column = model_name, column
        self.platform_rows, self.lookup = platform_rows, ", ".join(lookup)

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Policies are no part of Django's model state."""

    def database_forwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = _table_here(self.model_name, app_label, editor, to_state)
        if table:
            for statement in guard_statements(table, self.column):
                editor.execute(statement)
            if self.platform_rows:
                rows = f"tenant_id IS NULL AND {CURRENT_TENANT} IS NULL"
                editor.execute(
                    f"CREATE POLICY {PLATFORM_POLICY} ON {table} USING ({rows}) WITH CHECK ({rows})"
                )
            if self.lookup:
                editor.execute(
                    f"CREATE POLICY {LOOKUP_POLICY} ON {table} FOR SELECT TO {LOOKUP_ROLE} USING (true)"
                )
                editor.execute(f"GRANT SELECT ({self.lookup}) ON {table} TO {LOOKUP_ROLE}")

    def database_backwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = _table_here(self.model_name, app_label, editor, from_state)
        if table:
            for policy in (POLICY, PLATFORM_POLICY, LOOKUP_POLICY):
                editor.execute(f"DROP POLICY IF EXISTS {policy} ON {table}")
            if self.lookup:
                editor.execute(f"REVOKE SELECT ({self.lookup}) ON {table} FROM {LOOKUP_ROLE}")  # noqa: S608 - our own names
            editor.execute(f"ALTER TABLE {table} NO FORCE ROW LEVEL SECURITY")
            editor.execute(f"ALTER TABLE {table} DISABLE ROW LEVEL SECURITY")

    def describe(self) -> str:
        return f"Force row-level security on {self.model_name}"


class SameTenantKey(Operation):
    """The database's half of a SameTenantForeignKey: it may point only at a row of the same tenant.

    The parent needs a unique (tenant_id, id): `TenantOwned` has one. Deferred, as Django's own keys are.
    """

    reduces_to_sql = True
    reversible = True

    def __init__(self, model_name: str, field: str) -> None:
        self.model_name, self.field = model_name, field

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """The field is in Django's state already; only its constraint is ours."""

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
        field: ForeignKey[Any, Any] = to_state.apps.get_model(app_label, self.model_name)._meta.get_field(
            self.field
        )
        quote = editor.quote_name
        column, parent = quote(field.column), quote(field.related_model._meta.db_table)
        action = {"SET NULL": f"SET NULL ({column})"}.get(field.database_action, field.database_action)  # type: ignore[attr-defined]
        editor.execute(
            f"ALTER TABLE {table} ADD CONSTRAINT {quote(same_tenant_key_name(field))} "
            f"FOREIGN KEY (tenant_id, {column}) REFERENCES {parent} (tenant_id, id) "
            f"ON DELETE {action} DEFERRABLE INITIALLY DEFERRED"
        )

    def database_backwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        table = _table_here(self.model_name, app_label, editor, from_state)
        if table:
            field: ForeignKey[Any, Any] = from_state.apps.get_model(
                app_label, self.model_name
            )._meta.get_field(self.field)
            editor.execute(
                f"ALTER TABLE {table} DROP CONSTRAINT {editor.quote_name(same_tenant_key_name(field))}"
            )

    def describe(self) -> str:
        return f"Same-tenant foreign key {self.model_name}.{self.field}"


def guard_statements(table: str, column: str = "tenant_id") -> list[str]:
    """What guards one table; partitions need it as much as their parent, or they can be read by name."""
    return [
        f"ALTER TABLE {table} ENABLE ROW LEVEL SECURITY",
        f"ALTER TABLE {table} FORCE ROW LEVEL SECURITY",
        f"CREATE POLICY {POLICY} ON {table} "
        f"USING ({column} = {CURRENT_TENANT}) WITH CHECK ({column} = {CURRENT_TENANT})",
    ]


def same_tenant_key_name(field: "ForeignKey[Any, Any]") -> str:
    """The constraint's name, within PostgreSQL's 63 bytes."""
    return f"{field.model._meta.db_table}_{field.column}"[:50] + "_same_tenant"


def _table_here(
    model_name: str, app_label: str, editor: BaseDatabaseSchemaEditor, state: ProjectState
) -> str | None:
    """The quoted table, or None where this schema does not hold the model (it is in public, or in pool)."""
    model: type[Model] = state.apps.get_model(app_label, model_name)
    router = PlacementRouter()
    if not router.allow_migrate(editor.connection.alias, app_label, model_name=model._meta.model_name):
        return None
    return editor.quote_name(model._meta.db_table)
