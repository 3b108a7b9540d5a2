"""The demo's companies: install them, or show how to get in."""

import json
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser

from config import env
from config.demo import credentials


class Command(BaseCommand):
    help = "Install the demo (--seed) or show its logins (--show, with --json for programs)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--seed", action="store_true", help="make the demo companies that are not there yet"
        )
        parser.add_argument(
            "--if-wanted", action="store_true", help="with --seed: not where FRONTDESK_DEMO is 0"
        )
        parser.add_argument("--show", action="store_true", help="print logins and keys")
        parser.add_argument(
            "--json", action="store_true", help="print exactly one JSON object and nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["seed"] and (env.flag("FRONTDESK_DEMO", True) or not options["if_wanted"]):
            # Seeding needs every app; showing must work beside a running copy with nothing but its files.
            from config.demo.installing import install
            from tenants.auditing import doing_as, operator

            with doing_as(operator()):
                install(self.stdout.write)
        if options["show"] or options["json"]:
            self._show(as_json=options["json"])

    def _show(self, *, as_json: bool) -> None:
        logins = credentials.kept(settings.FRONTDESK_HOME)
        if as_json:
            self.stdout.write(json.dumps({"base_url": settings.BASE_URL, "tenants": logins}))
            return
        if not logins:
            raise CommandError("the demo is not installed: start with FRONTDESK_DEMO=1 (make up)")
        for login in logins:
            self.stdout.write(f"{login['slug']} ({login['plan']})")
            for name in ("email", "password", "api_key", "widget_key", "origin"):
                self.stdout.write(f"  {name:<11} {login[name]}")
