"""The widget's protocol.ts, generated."""

from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from widgets.chat import typescript


class Command(BaseCommand):
    help = "Print widgets/embed/src/protocol.ts as it should be; --write puts it there (then: npm run build)."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--write", action="store_true")

    def handle(self, *args: Any, **options: Any) -> None:
        text = typescript.generate()
        if options["write"]:
            typescript.TARGET.write_text(text, encoding="utf-8")
        else:
            self.stdout.write(text, ending="")
