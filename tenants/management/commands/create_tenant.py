"""A new tenant from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.models import POOL_SCHEMA, Plan
from tenants.provisioning import provision


class Command(BaseCommand):
    help = (
        "Make a tenant with its first personality, widget and budget. "
        "A dedicated schema must exist: manage.py migrate_schemas --schema NAME."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("name")
        parser.add_argument("--plan", choices=Plan.values, default=Plan.STARTER.value)
        parser.add_argument(
            "--website",
            action="append",
            default=[],
            dest="websites",
            metavar="ORIGIN",
            help="where its first widget may be shown, such as https://acme.com; may be given again",
        )
        parser.add_argument("--schema", default=POOL_SCHEMA, dest="schema_name")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with doing_as(operator()):
                tenant = provision(
                    options["name"],
                    options["slug"],
                    plan=Plan(options["plan"]),
                    schema_name=options["schema_name"],
                    websites=options["websites"],
                )
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{tenant.slug} {tenant.pk}")
