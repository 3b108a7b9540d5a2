"""Start everything: embedded services where no URLs are set, migrations, demo, web, worker, beat, maintain."""

import sys
import time
from typing import Any

from django.core.management.base import BaseCommand

from config.launch import launch


class Command(BaseCommand):
    help = "Run Frontdesk until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        def report(name: str, line: str) -> None:
            self.stdout.write(f"{time.strftime('%H:%M:%S')} {name:<9}| {line}")
            self.stdout.flush()

        sys.exit(launch(report))
