"""A new person of a tenant from the command line."""

import getpass
import os
from typing import Any

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError
from django.core.management.base import BaseCommand, CommandError, CommandParser

from kernel.errors import FrontdeskError
from tenants.auditing import doing_as, operator
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.directory import resolve_tenant
from tenants.models import KeyKind
from tenants.permissions import Role


class Command(BaseCommand):
    help = "Make a person of a tenant. The password is asked for, or read from FRONTDESK_PASSWORD."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", help="the tenant's")
        parser.add_argument("email")
        parser.add_argument("--name", default="")
        parser.add_argument("--role", choices=Role.values, default=Role.MEMBER.value)

    def handle(self, *args: Any, **options: Any) -> None:
        tenant = resolve_tenant(KeyKind.SLUG, options["slug"])
        if tenant is None:
            raise CommandError(f"there is no tenant {options['slug']}")
        password = os.environ.get("FRONTDESK_PASSWORD") or getpass.getpass("Password: ")
        try:
            validate_password(password)
            with doing_as(operator()), acting_as(tenant):
                create_user(options["email"], password, name=options["name"], role=Role(options["role"]))
        except ValidationError as refused:
            raise CommandError(" ".join(refused.messages)) from refused
        except FrontdeskError as refused:
            raise CommandError(refused.detail) from refused
        self.stdout.write(f"{options['email']} may sign in")
