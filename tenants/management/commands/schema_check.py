"""Is every schema what the migrations promise? Compares with a scratch schema that is migrated for the occasion."""

from typing import Any, Final

from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError
from django.db import connection

from tenants.catalogue import difference, facts
from tenants.migrating import tenant_schemas
from tenants.owner import owner_connection

SCRATCH: Final = "schema_check_scratch"


class Command(BaseCommand):
    help = "Compare every tenant schema, down to policies and grants, with what the migrations promise."

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            call_command("migrate_schemas", schema_name=SCRATCH, verbosity=0)
            with owner_connection():
                promised = facts(SCRATCH)
                wrong = {
                    name: difference(promised, facts(name)) for name in tenant_schemas() if name != SCRATCH
                }
        finally:
            with owner_connection(), connection.cursor() as cursor:
                cursor.execute(f"DROP SCHEMA IF EXISTS {SCRATCH} CASCADE")
        for schema, lines in wrong.items():
            self.stdout.write(f"{schema}: {'as promised' if not lines else f'{len(lines)} differences'}")
            for line in lines:
                self.stdout.write(f"  {line}")
        if any(wrong.values()):
            raise CommandError("a schema is not what the migrations promise")
