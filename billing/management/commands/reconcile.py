from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.costs import budgets, rollup
from tenants.context import acting_as
from tenants.directory import all_tenants


class Command(BaseCommand):
    help = (
        "Compare every tenant's summaries and budgets with its ledger. Fails, naming them, where they differ."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--repair", action="store_true", help="write them anew from the ledger where they differ"
        )

    def handle(self, *args: Any, repair: bool = False, **options: Any) -> None:
        buckets = wrong_budgets = tenants = 0
        for tenant in all_tenants():
            with acting_as(tenant):
                unequal, unbalanced = rollup.reconcile(), budgets.reconcile()
                for difference in (*unequal, *unbalanced):
                    self.stderr.write(f"tenant {tenant.id}: {difference}")
                if repair and unequal:
                    rollup.rebuild_summaries()
                if repair and unbalanced:
                    budgets.refresh(recount=True)
            tenants += bool(unequal or unbalanced)
            buckets, wrong_budgets = buckets + len(unequal), wrong_budgets + len(unbalanced)
        if tenants and not repair:
            raise CommandError(
                f"{buckets} buckets of {tenants} tenants and {wrong_budgets} budgets are wrong"
            )
