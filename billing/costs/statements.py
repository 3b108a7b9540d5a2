"""The statements of billing/sql, by name."""

from pathlib import Path
from typing import Final

from kernel.statements import statements_in

FOLDER: Final = Path(__file__).resolve().parents[1] / "sql"

statement = statements_in(FOLDER)
