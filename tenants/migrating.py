"""One migration run per schema: public, then pool, then each dedicated schema once, however many tenants share it.

Upstream runs them once per tenant: 202 times for 200 pooled tenants, this 3 times (measured.md section 2).
"""

from django.db import connection
from django_tenants.migration_executors import get_executor as upstream_executor
from django_tenants.migration_executors.standard import StandardExecutor
from django_tenants.utils import get_public_schema_name

from tenants.models import POOL_SCHEMA


class DistinctSchemasExecutor(StandardExecutor):  # type: ignore[misc]  # upstream ships no types
    """Migrates each schema of the list once."""

    codename = "distinct"

    def run_migrations(self, tenants: list[str] | None = None) -> None:
        """`tenants` is upstream's name for a list of schema names, with repeats."""
        super().run_migrations(list(dict.fromkeys(tenants or [])))


def get_executor(codename: str | None = None) -> type:
    """What django-tenants asks for its executor (settings.GET_EXECUTOR_FUNCTION)."""
    executor: type = (
        DistinctSchemasExecutor if codename in (None, "distinct") else upstream_executor(codename)
    )
    return executor


def tenant_schemas() -> list[str]:
    """Every schema that holds tenant tables: `pool` and those made for one tenant. Asked of the catalogue as the owner,
    who sees no tenant's row."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nspname FROM pg_namespace WHERE nspowner = current_user::regrole AND nspname <> %s "
            "ORDER BY nspname",
            [get_public_schema_name()],
        )
        found = [name for (name,) in cursor.fetchall()]
    return [POOL_SCHEMA, *(name for name in found if name != POOL_SCHEMA)]
