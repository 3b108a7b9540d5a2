"""The statements of knowledge/sql, by name."""

from functools import cache
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).resolve().parent / "sql"


@cache
def statement(name: str) -> str:
    """The text of `knowledge/sql/<name>.sql`."""
    return (FOLDER / f"{name}.sql").read_text()
