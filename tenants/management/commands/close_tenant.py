"""A tenant's account, closed from the command line."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.closing import close
from tenants.context import acting_as
from tenants.finding import tenant_called


class Command(BaseCommand):
    help = "Close a tenant's account: its doors shut, its rows stay. reopen_tenant undoes it, erase_tenant ends it."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            with doing_as(operator()), acting_as(tenant_called(options["slug"])):
                close()
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{options['slug']} is closed")
