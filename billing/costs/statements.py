"""The statements of billing/sql, by name."""

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parents[1] / "sql"


@cache
def statement(name: str) -> str:
    """The text of `billing/sql/<name>.sql`."""
    return (FOLDER / f"{name}.sql").read_text()
