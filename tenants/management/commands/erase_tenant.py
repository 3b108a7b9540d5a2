"""A tenant, erased for good, with a receipt."""

import json
from pathlib import Path
from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.due_erasures import erase_closed, leftovers, refuse_too_early
from tenants.finding import tenant_called


class Command(BaseCommand):
    help = (
        "Erase a closed tenant for good. The receipt goes to standard output as JSON and into a file. "
        "Stopped in between, run it again."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--now", action="store_true", help="close it first, and do not wait for 30 days")
        parser.add_argument("--yes", action="store_true", help="do not ask")
        parser.add_argument(
            "--receipt", type=Path, help="where the receipt goes; default FRONTDESK_HOME/receipts/"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        slug = options["slug"]
        try:
            ref = tenant_called(slug)
            with doing_as(operator()):
                if not options["now"]:
                    refuse_too_early(ref)
                if not options["yes"] and input(f"Type {slug} to erase it for good: ") != slug:
                    raise CommandError("nothing was erased")
                receipt, written = erase_closed(ref, self._report, options["receipt"])
        except (FrontdeskError, ImproperlyConfigured) as refused:
            raise CommandError(str(refused)) from refused
        self.stdout.write(json.dumps(receipt, indent=1))
        self._report(f"the receipt is in {written}")
        if leftovers(receipt):
            raise CommandError(f"something is left, run it again: {', '.join(leftovers(receipt))}")

    def _report(self, line: str) -> None:
        self.stderr.write(line)
        self.stderr.flush()
