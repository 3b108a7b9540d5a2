"""The owner-role process: looks after partitions until it is stopped."""

import signal
import threading
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import Error as DatabaseError

from kernel import observing
from tenants.maintaining import guard_partitions

EVERY_S = 60.0


class Command(BaseCommand):
    help = "Keep partitions in order, as the owner's role, until stopped."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--once", action="store_true", help="one round, then exit")

    def handle(self, *args: Any, **options: Any) -> None:
        stop = threading.Event()
        if not options["once"]:
            for number in (signal.SIGTERM, signal.SIGINT):
                signal.signal(number, lambda *_: stop.set())
            observing.begin("maintain")
        while True:
            try:
                guard_partitions()
                observing.works()
            except DatabaseError as error:
                self.stderr.write(f"maintain: the database is away: {error}")
            if options["once"] or stop.wait(EVERY_S):
                return
