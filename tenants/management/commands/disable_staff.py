"""One of the platform's own people, from the command line, who may come in no more."""

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.staffing import disable_staff


class Command(BaseCommand):
    help = "Keep one of the platform's own people out from now on. What they are doing for a company ends at once."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            ended = disable_staff(options["email"])
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{options['email']} is disabled; sessions ended: {ended}")
