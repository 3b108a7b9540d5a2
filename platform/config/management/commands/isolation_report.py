"""What keeps tenants apart here: checked now, signed, for machines and for people."""

import json
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from config.isolation import report
from config.isolation.telling import as_text
from tenants import canaries


class Command(BaseCommand):
    help = "Write a signed statement of what keeps tenants apart in this installation."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--out", type=Path, help="write isolation-report.json and .md into this directory"
        )
        parser.add_argument("--json", action="store_true", help="print JSON in place of text")
        parser.add_argument("--mutants", type=Path, help="what make isolation-mutants wrote")
        parser.add_argument(
            "--verify", type=Path, help="say whether this installation signed the report in a file"
        )
        parser.add_argument(
            "--clear", action="store_true", help="forget the canaries' breaches once they are mended"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        if options["verify"]:
            self._verify(options["verify"])
            return
        if options["clear"]:
            canaries.forget_breaches()
        made = report.make(options["mutants"])
        text, machine = as_text(made, report.fingerprint(made)), json.dumps(made, indent=1)
        if options["out"]:
            options["out"].mkdir(parents=True, exist_ok=True)
            (options["out"] / "isolation-report.json").write_text(machine + "\n", encoding="utf-8")
            (options["out"] / "isolation-report.md").write_text(text, encoding="utf-8")
        self.stdout.write(machine if options["json"] else text)
        if not made["statement"]["holds"]:
            raise CommandError("isolation is broken: see the checks above")

    def _verify(self, path: Path) -> None:
        try:
            given = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CommandError(f"{path} cannot be read: {error}") from error
        if not isinstance(given, dict) or not report.is_genuine(given):
            raise CommandError(
                f"{path} is not a report that this installation signed, or it was changed since"
            )
        self.stdout.write(f"genuine: signed by this installation, made {given['statement']['made_at']}")
