"""Everything encrypted, put under the first of ENCRYPTION_KEYS."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.auditing import doing_as, operator
from tenants.directory import all_tenants
from tenants.reencrypting import Tally, count, reencrypt


class Command(BaseCommand):
    help = "Re-encrypt every stored secret under the first of ENCRYPTION_KEYS; safe while Frontdesk runs."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--check",
            action="store_true",
            help="change nothing; fail where a secret is under an older key, or under none of them",
        )

    def handle(self, *args: Any, **options: Any) -> None:
        with doing_as(operator()):
            self._visit_all(check=options["check"])

    def _visit_all(self, *, check: bool) -> None:
        total = Tally()
        # A closed tenant can be reopened: its secrets must outlive the old key too.
        for tenant in all_tenants(closed=True):
            found = count(tenant) if check else reencrypt(tenant)
            total += found
            if found.renewed or found.outdated or found.unreadable:
                self.stdout.write(f"{tenant.id}: {_words(found)}")
                self.stdout.flush()
        self.stdout.write(f"all tenants: {_words(total)}")
        if total.unreadable:
            raise CommandError(f"{total.unreadable} secrets can be read with none of ENCRYPTION_KEYS")
        if total.outdated:
            raise CommandError(f"{total.outdated} secrets are under an older key: run rotate_keys")


def _words(tally: Tally) -> str:
    return (
        f"{tally.secrets} secrets, {tally.renewed} re-encrypted, {tally.outdated} under an older key, "
        f"{tally.unreadable} unreadable"
    )
