"""A new tenant from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.creating import create_tenant
from tenants.models import POOL_SCHEMA, Plan


class Command(BaseCommand):
    help = "Make a tenant. A dedicated schema must exist: manage.py migrate_schemas --schema NAME."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("--plan", choices=Plan.values, default=Plan.STARTER.value)
        parser.add_argument("--schema", default=POOL_SCHEMA, dest="schema_name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenant = create_tenant(
                options["name"],
                options["slug"],
                plan=Plan(options["plan"]),
                schema_name=options["schema_name"],
            )
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{tenant.slug} {tenant.pk}")
