from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.costs import reconciling
from billing.management.tenants import add_tenant_argument, chosen_tenants
from tenants.context import acting_as


class Command(BaseCommand):
    help = "Compare summaries, sessions' costs and budgets with the ledger. Prints what differs; exit status 1 if any."

    def add_arguments(self, parser: CommandParser) -> None:
        add_tenant_argument(parser)
        parser.add_argument(
            "--repair", action="store_true", help="write them anew from the ledger where they differ"
        )

    def handle(self, *args: Any, tenant: str | None = None, repair: bool = False, **options: Any) -> None:
        buckets = sessions = budgets = tenants = 0
        for each in chosen_tenants(tenant):
            with acting_as(each):
                found = reconciling.reconcile()
                for line in found.lines():
                    self.stderr.write(f"tenant {each.id}: {line}")
                if repair:
                    reconciling.repair(found)
            tenants += bool(found)
            buckets, sessions = buckets + len(found.summaries), sessions + len(found.sessions)
            budgets += len(found.budgets)
        if tenants and not repair:
            raise CommandError(
                f"{buckets} buckets, {sessions} sessions and {budgets} budgets of {tenants} tenants are wrong"
            )
        self.stdout.write(
            "repaired" if tenants else "summaries, sessions and budgets are what the ledger says"
        )
