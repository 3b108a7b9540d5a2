"""Start everything: embedded services where no URLs are set, migrations, demo, web, worker, beat, maintain."""

import os
import sys
from typing import Any

from django.conf import settings
from django.core.management.base import BaseCommand

from config.launch import launch
from config.logs import chosen_format
from config.shaping import reporter


class Command(BaseCommand):
    help = "Run Frontdesk until Ctrl-C."
    requires_system_checks = ()

    def handle(self, *args: Any, **options: Any) -> None:
        def write(line: str) -> None:
            self.stdout.write(line)
            self.stdout.flush()

        form = chosen_format(settings.LOG_FORMAT, sys.stdout)
        # The programs write into pipes, so they cannot tell whether a person reads along.
        os.environ["LOG_FORMAT"] = form
        sys.exit(launch(reporter(form, write), form))
