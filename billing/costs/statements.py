"""The statements of billing/sql, by name."""

import re
from functools import cache
from pathlib import Path
from typing import Final

from kernel.statements import statements_in

FOLDER: Final = Path(__file__).resolve().parents[1] / "sql"
FRAGMENT: Final = re.compile(r"\{(\w+)\}")

statement = statements_in(FOLDER)


@cache
def composed(name: str) -> str:
    """The statement `name` with the text of `other.sql` in the place of `{other}`: what two statements must say alike,
    such as what a bucket sums, stands in one file."""
    return FRAGMENT.sub(lambda found: composed(found[1]), statement(name)).rstrip()
