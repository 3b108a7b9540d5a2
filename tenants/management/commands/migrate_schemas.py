from typing import Any

from django.db import connection
from django_tenants.management.commands.migrate_schemas import MigrateSchemasCommand
from django_tenants.utils import get_public_schema_name, quote_schema_name

from tenants.migrating import DistinctSchemasExecutor, tenant_schemas
from tenants.models import POOL_SCHEMA
from tenants.owner import owner_connection


class Command(MigrateSchemasCommand):  # type: ignore[misc]  # upstream ships no types
    help = "Migrate public, then pool, then each dedicated schema once, as the owner's role."

    def handle(self, *args: Any, **options: Any) -> None:
        with owner_connection():
            chosen = options.get("schema_name")
            schemas = [chosen] if chosen else [get_public_schema_name(), *self._known_schemas()]
            for name in schemas:
                if name != get_public_schema_name():
                    with connection.cursor() as cursor:
                        cursor.execute(f"CREATE SCHEMA IF NOT EXISTS {quote_schema_name(name)}")
            # Upstream's handle() would list tenants through the ORM, and the owner sees none of their rows.
            options.pop("schema_name", None)
            DistinctSchemasExecutor(args, options).run_migrations(schemas)

    @staticmethod
    def _known_schemas() -> list[str]:
        return list(dict.fromkeys([POOL_SCHEMA, *tenant_schemas()]))
