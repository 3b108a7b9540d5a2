"""SQL that Django cannot say, kept in files named for what it does (`<app>/sql/<name>.sql`)."""

from collections.abc import Callable
from functools import cache
from pathlib import Path


def statements_in(folder: Path) -> Callable[[str], str]:
    """A function from a statement's name to its text, read once. It raises FileNotFoundError for no such file."""

    @cache
    def statement(name: str) -> str:
        return (folder / f"{name}.sql").read_text(encoding="utf-8")

    return statement
