"""A tenant moves to a schema of its own, or back into the pool."""

from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management import call_command
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import DatabaseError

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.context import TenantRef
from tenants.directory import all_tenants, resolve_tenant
from tenants.dropping_schemas import drop_schema
from tenants.models import POOL_SCHEMA, KeyKind
from tenants.moving import move

POOL, DEDICATED = "pool", "dedicated"


class Command(BaseCommand):
    help = (
        "Move a tenant's rows between the pool and a schema of its own, as the owner's role. It is out of reach "
        "meanwhile; everybody else goes on. Whatever goes wrong leaves it where it was."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--to", choices=(POOL, DEDICATED), required=True)
        parser.add_argument(
            "--schema", help="the dedicated schema's name (dedicated_<slug> where it is left out)"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = resolve_tenant(KeyKind.SLUG, options["slug"])
        if tenant is None:
            raise CommandError(f"there is no tenant {options['slug']}, or it is suspended or closed")
        own = options["schema"] or f"dedicated_{options['slug'].replace('-', '_')}"
        try:
            with doing_as(operator()):
                if options["to"] == POOL:
                    self._to_pool(tenant, own)
                else:
                    self._to_own(tenant, own)
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        except (DatabaseError, ImproperlyConfigured) as error:
            raise CommandError(f"nothing was moved: {error}") from error

    def _to_own(self, tenant: TenantRef, schema: str) -> None:
        if schema == POOL_SCHEMA or _others_in(schema, tenant):
            raise CommandError(f"{schema} is another tenant's: name a schema of its own with --schema")
        if tenant.schema_name != POOL_SCHEMA:
            raise CommandError(f"its rows are in {tenant.schema_name}: move it into the pool first")
        # Made outside the move, so that migrations hold no lock of it; an empty one does no harm.
        call_command("migrate_schemas", schema_name=schema, verbosity=0)
        self._move(tenant, schema)

    def _to_pool(self, tenant: TenantRef, schema: str) -> None:
        left = schema if tenant.schema_name == POOL_SCHEMA else tenant.schema_name
        if tenant.schema_name != POOL_SCHEMA:
            self._move(tenant, POOL_SCHEMA)
        # Also where an earlier run was killed before it came to this.
        if not _others_in(left, tenant) and drop_schema(left):
            self.stdout.write(f"dropped the empty schema {left}")
        elif tenant.schema_name == POOL_SCHEMA:
            raise CommandError("its rows are in the pool already")

    def _move(self, tenant: TenantRef, target: str) -> None:
        moved = move(tenant, target, self._report)
        self._report(
            f"moved to {target}: {sum(moved.rows.values()):,} rows of {len(moved.rows)} tables, compared; "
            f"out of reach for {moved.seconds:.1f} s"
        )

    def _report(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _others_in(schema: str, tenant: TenantRef) -> bool:
    return any(one.schema_name == schema and one.id != tenant.id for one in all_tenants(closed=True))
