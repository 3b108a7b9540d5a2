"""One archive with everything that a one-machine install needs to come back."""

import time
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from config.backup.saving import save


class Command(BaseCommand):
    help = "Save database, uploaded files and keys into one archive (mode 0600); works while Frontdesk runs."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("target", type=Path, nargs="?", help="default: frontdesk-<time>.tar.gz here")

    def handle(self, *args: Any, **options: Any) -> None:
        target: Path = options["target"] or Path(f"frontdesk-{time.strftime('%Y%m%d-%H%M%S')}.tar.gz")
        size = save(target.resolve(), self._say)
        self.stdout.write(f"{target}: {size:,} bytes. It holds every key and password hash: keep it safe.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
