"""All that a tenant has, as one archive."""

import sys
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from tenants.auditing import Target, doing_as, operator, record
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.exporting.writing import write_archive
from tenants.models import KeyKind


class Command(BaseCommand):
    help = "Write all that a tenant has to an archive: JSON Lines per table, its files, a manifest."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug")
        parser.add_argument("--to", required=True, type=Path, metavar="FILE.zip")
        parser.add_argument(
            "--vectors", action="store_true", help="with the chunks' vectors, which are large"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        tenant, to = resolve_tenant(KeyKind.SLUG, options["slug"]), options["to"].resolve()
        if tenant is None:
            raise CommandError(f"there is no tenant {options['slug']}")
        if to.exists():
            raise CommandError(f"{to} is there already")
        try:
            manifest = write_archive(tenant, to, self._show, vectors=options["vectors"])
        except OSError as error:
            raise CommandError(f"{to} cannot be written: {error.strerror or error}") from error
        done = {"rows": manifest.rows, "files": len(manifest.files), "size": to.stat().st_size}
        with doing_as(operator()), acting_as(tenant):
            record("exported", Target("account", tenant.id, options["slug"]), after=done)
        self.stdout.write(f"{to}: {done['rows']} rows, {done['files']} files, {done['size']} bytes")
        for name in manifest.missing_files:
            self.stderr.write(f"missing: the store has lost the file {name}")

    def _show(self, done: int, total: int) -> None:
        if sys.stderr.isatty():
            self.stderr.write(f"\r{done} of {total}", ending="\n" if done == total else "")
            self.stderr.flush()
        elif done == total:
            self.stderr.write(f"{done} of {total}")
