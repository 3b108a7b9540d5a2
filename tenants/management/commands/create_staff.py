"""One of the platform's own people from the command line."""

import getpass
import os
from typing import Any

from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.core.validators import validate_email

from kernel.errors import FrontdeskError
from tenants.creating import create_staff
from tenants.team import refuse_weak_password


class Command(BaseCommand):
    help = (
        "Make one of the platform's own people, who belongs to no tenant. "
        "The password is asked for, or read from FRONTDESK_PASSWORD."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("email")
        parser.add_argument("--name", default="")

    def handle(self, *args: Any, **options: Any) -> None:
        password = os.environ.get("FRONTDESK_PASSWORD") or getpass.getpass("Password: ")
        try:
            validate_email(options["email"])
            refuse_weak_password(password, options["email"])
            create_staff(options["email"], password, name=options["name"])
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{options['email']} may sign in")
