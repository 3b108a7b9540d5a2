from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.costs import rollup
from tenants.context import acting_as
from tenants.directory import all_tenants
from tenants.owner import owner_connection


class Command(BaseCommand):
    help = "Fold every tenant's new cost events into its summaries."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--rebase",
            action="store_true",
            help="as the owner, after a restore into another cluster or an upgrade; does nothing where not needed",
        )

    def handle(self, *args: Any, rebase: bool = False, **options: Any) -> None:
        tenants = list(all_tenants())
        if rebase:
            with owner_connection():
                for tenant in tenants:
                    with acting_as(tenant):
                        rollup.rebase()
            return
        for tenant in tenants:
            with acting_as(tenant):
                rollup.fold()
