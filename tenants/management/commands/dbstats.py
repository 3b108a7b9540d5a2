"""How is PostgreSQL doing? Connections, what runs, what was slow, what is large, which index is used."""

import json
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connection

from tenants.db import statistics
from tenants.db.statistics import Table, as_plain


class Command(BaseCommand):
    help = "Show what PostgreSQL says about connections, statements, tables and indexes, as the application's role."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument(
            "--json", action="store_true", help="print exactly one JSON object and nothing else"
        )

    def handle(self, *args: Any, **options: Any) -> None:
        found = statistics.everything()
        if options["json"]:
            self.stdout.write(json.dumps({table.title: _as_objects(table) for table in found}))
            return
        self.stdout.write(
            f"As role {connection.settings_dict['USER']}; what other roles run is hidden from it."
        )
        for table in found:
            self._show(table)

    def _show(self, table: Table) -> None:
        self.stdout.write(f"\n{self.style.MIGRATE_HEADING(table.title)}")
        if table.rows:
            cells = [table.columns, *([_text(value) for value in row] for row in table.rows)]
            widths = [max(len(row[place]) for row in cells) for place in range(len(table.columns))]
            for row in cells:
                line = "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True))
                self.stdout.write(f"  {line.rstrip()}")
        if table.note:
            self.stdout.write(f"  {table.note}")


def _as_objects(table: Table) -> dict[str, Any]:
    rows = [
        {name: as_plain(value) for name, value in zip(table.columns, row, strict=True)} for row in table.rows
    ]
    return {"rows": rows, "note": table.note}


def _text(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:%Y-%m-%d %H:%M}" if hasattr(value, "strftime") else str(value)
