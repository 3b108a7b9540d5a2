"""Database functions with their caller's rights, made once and in public.

Unlike a look-up (`tenants.lookup`) such a function sees no more than its caller does: row-level security applies, and
the unqualified names in it are the tables of whichever schema the caller acts in. It exists for speed: PostgreSQL keeps
the plans of its statements for as long as the connection lives, also behind a transaction pooler.
"""

from pathlib import Path

from django.conf import settings
from django.db.backends.base.schema import BaseDatabaseSchemaEditor
from django.db.migrations.operations.base import Operation
from django.db.migrations.state import ProjectState
from django_tenants.utils import get_public_schema_name

CHECKOUT = Path(__file__).resolve().parent.parent


class CallersFunction(Operation):
    """Create one function in public from its SQL file; the application's role may call it."""

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
        if not _in_public(editor):
            return
        editor.execute((CHECKOUT / self.path).read_text(encoding="utf-8"), params=None)
        editor.execute(f"REVOKE ALL ON FUNCTION public.{self.signature} FROM PUBLIC", params=None)
        editor.execute(
            f"GRANT EXECUTE ON FUNCTION public.{self.signature} TO {settings.APPLICATION_ROLE}", params=None
        )

    def database_backwards(
        self,
        app_label: str,
        editor: BaseDatabaseSchemaEditor,
        from_state: ProjectState,
        to_state: ProjectState,
    ) -> None:
        if _in_public(editor):
            editor.execute(f"DROP FUNCTION public.{self.signature}", params=None)

    def describe(self) -> str:
        return f"Function {self.signature}"


def _in_public(editor: BaseDatabaseSchemaEditor) -> bool:
    schema: str = editor.connection.schema_name  # type: ignore[attr-defined]  # our backend's own
    return schema == str(get_public_schema_name())
