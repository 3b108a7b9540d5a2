import time
from datetime import date
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from billing.costs import rollup
from billing.management.moments import day_or_moment, moment_for_tenant
from billing.management.tenants import add_tenant_argument, chosen_tenants
from tenants.context import acting_as


class Command(BaseCommand):
    help = "Make summaries anew from the ledger; meanwhile readers see the old ones."

    def add_arguments(self, parser: CommandParser) -> None:
        add_tenant_argument(parser)
        parser.add_argument(
            "--since",
            type=day_or_moment,
            help="only hours, days, weeks and months that begin there or later: a day of the tenant's, or a time",
        )

    def handle(
        self, *args: Any, tenant: str | None = None, since: date | None = None, **options: Any
    ) -> None:
        tenants = list(chosen_tenants(tenant))
        for number, each in enumerate(tenants, 1):
            began = time.monotonic()
            with acting_as(each):
                rollup.rebuild_summaries(moment_for_tenant(since))
            self.stdout.write(
                f"{number} of {len(tenants)}: tenant {each.id}, {time.monotonic() - began:.1f} s"
            )
            self.stdout.flush()
