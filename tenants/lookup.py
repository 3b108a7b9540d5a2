"""Look-ups across tenants: SECURITY DEFINER functions owned by a NOLOGIN role that has exactly the columns it needs.

Each is made by one `LookupFunction` in a migration; `LOOKUPS` lists them for the catalogue walk and the isolation
report. A look-up costs a sixteenth of an ORM query and needs no BYPASSRLS role (measured.md section 2).
"""

from pathlib import Path
from typing import Final

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_tenants.utils import get_public_schema_name

from tenants.rls import LOOKUP_ROLE

LOOKUPS: Final = {
    "resolve_tenant(text, text)": "a name that is unique over all tenants, to its tenant",
    "tenant_ids(uuid, integer)": "which tenants exist, in pages, for work that visits each",
    "every_tenant_id(uuid, integer)": "which tenants have rows, closed ones too, to re-encrypt their secrets",
    "tenants_called(text, integer)": "names and slugs, for platform staff who act for nobody and choose a tenant",
    "due_work_before(text, timestamptz, integer)": "which tenants have work of a kind overdue",
}


class LookupFunction(Operation):
    """Create one look-up function in public from its SQL file, owned by the look-up role, callable by the
    application."""

    reduces_to_sql = True
    reversible = True

    def __init__(self, signature: str, path: str) -> None:
        self.signature, self.path = signature, path

    def state_forwards(self, app_label: str, state: ProjectState) -> None:
        """Functions are no part of Django's model state."""

    def database_forwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if editor.connection.schema_name != get_public_schema_name():  # type: ignore[attr-defined]  # our backend's own
            return
        body = (Path(__file__).resolve().parent.parent / self.path).read_text()
        for statement in (
            body,
            f"REVOKE ALL ON FUNCTION public.{self.signature} FROM PUBLIC",
            f"GRANT EXECUTE ON FUNCTION public.{self.signature} TO {settings.APPLICATION_ROLE}",
            # To give a function away its new owner must be able to create in the schema, for this moment.
            f"GRANT CREATE ON SCHEMA public TO {LOOKUP_ROLE}",
            f"ALTER FUNCTION public.{self.signature} OWNER TO {LOOKUP_ROLE}",
            f"REVOKE CREATE ON SCHEMA public FROM {LOOKUP_ROLE}",
        ):
            editor.execute(statement, params=None)

    def database_backwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if editor.connection.schema_name == get_public_schema_name():  # type: ignore[attr-defined]  # our backend's own
            editor.execute(f"DROP FUNCTION public.{self.signature}")

    def describe(self) -> str:
        return f"Look-up function {self.signature}"
