"""A table as passages that can be read: each row with its columns' names, so that a row found alone makes sense."""

import csv
import io
import re
from collections.abc import Iterator
from itertools import islice
from typing import Final

from knowledge.files.outcome import CannotRead, Read

MAX_ROWS: Final = 20_000
MAX_COLUMNS: Final = 200
DELIMITERS: Final = (",", ";", "\t", "|")
LOOKED_AT: Final = 50
"""Rows that tell the delimiter, of the first SAMPLE characters."""
SAMPLE: Final = 200_000
NUMBER = re.compile(r"[+-]?[\d.,\s%€$£]+")
SPACES = re.compile(r"\s+")


def read_table(text: str) -> Read:
    """Each row as a paragraph of `Column: value` lines; without a header of names, as its values. Raises CannotRead."""
    csv.field_size_limit(len(text) + 1)
    text, delimiter = _delimiter(text)
    try:
        rows = list(islice(_rows(text, delimiter), MAX_ROWS + 2))
    except csv.Error as error:
        raise CannotRead(f"the table is broken: {error}") from None
    header = rows[0] if rows and _is_header(rows) else None
    rows = rows[1:] if header else rows
    if len(rows) > MAX_ROWS:
        raise CannotRead(f"it has more than {MAX_ROWS:,} rows: split it into parts")
    if max(map(len, rows), default=0) > MAX_COLUMNS:
        raise CannotRead(f"it has more than {MAX_COLUMNS} columns")
    return Read("\n\n".join(filter(None, (_passage(header, row) for row in rows))), "")


def _rows(text: str, delimiter: str) -> Iterator[list[str]]:
    for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
        cells = [SPACES.sub(" ", cell).strip() for cell in row]
        if any(cells):
            yield cells


def _delimiter(text: str) -> tuple[str, str]:
    """The text without Excel's `sep=;` line, and the delimiter: the one that most often makes the same number of
    columns, and of those the one that makes the most."""
    first, _, rest = text.partition("\n")
    said = first.strip().lower()
    if said.startswith("sep=") and len(said) == 5:
        return rest, said[4]
    if said == "sep=" and "\t" in first:
        return rest, "\t"
    best, best_score = ",", (0.0, 0)
    sample = text[:SAMPLE]
    for delimiter in DELIMITERS:
        try:
            widths = [len(row) for row in islice(_rows(sample, delimiter), LOOKED_AT)]
        except csv.Error:
            continue
        usual = max(set(widths), key=lambda width: (widths.count(width), width), default=0)
        score = (widths.count(usual) / len(widths), usual) if usual > 1 else (0.0, 0)
        if score > best_score:
            best, best_score = delimiter, score
    return text, best


def _is_header(rows: list[list[str]]) -> bool:
    """Whether the first row has names: each cell filled, different, short, and no number."""
    names = rows[0]
    return (
        len(rows) > 1
        and len(names) > 1
        and all(name and len(name) <= 100 and not NUMBER.fullmatch(name) for name in names)
        and len(set(names)) == len(names)
    )


def _passage(header: list[str] | None, row: list[str]) -> str:
    if header is None:
        return "; ".join(filter(None, row))
    named = [f"{name}: {cell}" for name, cell in zip(header, row, strict=False) if cell]
    return "\n".join([*named, *filter(None, row[len(header) :])])
