"""Bring a backup back."""

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.backup.archive import BadArchive
from config.backup.restoring import restore


class Command(BaseCommand):
    help = "Restore a backup into FRONTDESK_HOME, where nothing runs; then start with make up."
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("source", type=Path)
        parser.add_argument(
            "--replace", action="store_true", help="put the database that is there aside and restore over it"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            restore(options["source"].resolve(), self._say, replace=options["replace"])
        except BadArchive as error:
            raise CommandError(str(error)) from error
        self.stdout.write("Restored. Start with make up.")

    def _say(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
