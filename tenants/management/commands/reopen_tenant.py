"""A closed account, open again."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.closing import reopen_by_operator
from tenants.finding import tenant_called


class Command(BaseCommand):
    help = "Reopen a tenant's account that was closed, as it was."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with doing_as(operator()):
                tenant = reopen_by_operator(tenant_called(options["slug"]))
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{tenant.slug} is open: {tenant.status}")
