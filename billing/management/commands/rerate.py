from collections import defaultdict
from datetime import date
from decimal import Decimal
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.costs.rerating import Selection, rerate
from billing.management.moments import day_or_moment, moment_for_tenant
from billing.management.tenants import add_tenant_argument, chosen_tenants
from tenants.context import acting_as


class Command(BaseCommand):
    help = "Apply a late or changed price to events already booked, as rows that correct them."

    def add_arguments(self, parser: CommandParser) -> None:
        add_tenant_argument(parser)
        parser.add_argument("--since", type=day_or_moment, help="events from this day, or time, on")
        parser.add_argument("--until", type=day_or_moment, help="events before it")
        parser.add_argument("--model", metavar="provider:model", help="only this one's")
        parser.add_argument(
            "--dry-run", action="store_true", help="say what would be corrected, write nothing"
        )

    def handle(
        self,
        *args: Any,
        tenant: str | None = None,
        since: date | None = None,
        until: date | None = None,
        model: str | None = None,
        dry_run: bool = False,
        **options: Any,
    ) -> None:
        provider, _, name = (model or "").partition(":")
        if model and not name:
            raise CommandError("a model is named provider:model, for example openai:gpt-4o-mini")
        for each in chosen_tenants(tenant):
            with acting_as(each):
                span = moment_for_tenant(since), moment_for_tenant(until)
            counts: dict[str, int] = defaultdict(int)
            sums: dict[str, Decimal] = defaultdict(Decimal)
            for found in rerate(each, Selection(*span, provider or None, name or None), dry_run=dry_run):
                key = f"{found.event.provider}:{found.event.model}"
                counts[key] += 1
                sums[key] += found.difference_usd
            for key in sorted(counts):
                verb = "would change" if dry_run else "changed"
                self.stdout.write(
                    f"tenant {each.id}: {counts[key]} events of {key} {verb} by ${sums[key]:+f}"
                )
