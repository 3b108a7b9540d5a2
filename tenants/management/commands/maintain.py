"""The owner-role process: carries out what changes tables, until it is stopped."""

import signal
import time
from typing import Any, Final, NoReturn

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError

from kernel import observing
from tenants.maintaining import one_round

EVERY_S: Final = 5.0


class Command(BaseCommand):
    help = "Keep partitions and vector indexes in order, as the owner's role, until stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, with its progress, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        # As Ctrl-C does, so that a statement that takes minutes is cancelled too; what it was for is taken up again.
        signal.signal(signal.SIGTERM, _interrupt)
        if not options["once"]:
            observing.begin("maintain")
        try:
            while True:
                try:
                    one_round(self._report)
                    observing.works()
                except DatabaseError as error:
                    self.stderr.write(f"maintain: the database is away: {error}")
                if options["once"]:
                    return
                time.sleep(EVERY_S)
        except KeyboardInterrupt:
            return

    def _report(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()


def _interrupt(number: int, frame: Any) -> NoReturn:
    raise KeyboardInterrupt
