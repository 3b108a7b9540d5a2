"""What a benchmark found: rows of ours beside a reference measured in the same run, against the bar of goals.md."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

HEADINGS: Final = ("what", "ours", "reference", "ratio", "bar", "pass")
NOTHING: Final = "-"

Direction = Literal["at most", "at least"]


@dataclass(frozen=True, slots=True)
class Row:
    """One figure.

    `ratio` is ours over the reference. `bar` is what `compared` (the ratio or our own figure) has to be at most or at
    least; None where goals.md sets no bar and the figure is told for its own sake. `reason` says why nothing was
    measured.
    """

    what: str
    ours: float | None = None
    reference: float | None = None
    unit: str = ""
    bar: float | None = None
    direction: Direction = "at most"
    on_ratio: bool = False
    note: str = ""
    reason: str = ""

    @property
    def ratio(self) -> float | None:
        """Ours over the reference; None where either is missing or the reference is 0."""
        if self.ours is None or not self.reference:
            return None
        return self.ours / self.reference

    @property
    def passed(self) -> bool | None:
        """Whether the bar is met; None where there is no bar or nothing was measured."""
        compared = self.ratio if self.on_ratio else self.ours
        if compared is None or self.bar is None:
            return None
        return compared <= self.bar if self.direction == "at most" else compared >= self.bar

    def as_json(self) -> dict[str, Any]:
        """All of it, for benchmarks/results/."""
        return {**asdict(self), "ratio": self.ratio, "passed": self.passed}


def ratio(
    what: str, ours: float, reference: float, unit: str, bar: float | None, *, direction: Direction = "at most",
    note: str = "",
) -> Row:  # fmt: skip
    """A row judged by ours over the reference."""
    return Row(what, ours, reference, unit, bar, direction, on_ratio=True, note=note)


def figure(
    what: str, ours: float, unit: str, bar: float | None = None, *, direction: Direction = "at most",
    reference: float | None = None, note: str = "",
) -> Row:  # fmt: skip
    """A row judged by our own figure: a count, or CPU time. The reference is shown beside it."""
    return Row(what, ours, reference, unit, bar, direction, note=note)


def not_run(what: str, reason: str) -> Row:
    """A row for what could not be measured here."""
    return Row(what, reason=reason)


def render(rows: Sequence[Row]) -> str:
    """The table, in columns of text. Rows that were not run say why, where their figures would be."""
    lines = [HEADINGS, *(_cells(row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(HEADINGS))]
    shown = []
    for line, row in zip(lines, (None, *rows), strict=True):
        text = "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        if row is not None and row.reason:
            text = f"{row.what.ljust(widths[0])}  not run: {row.reason}"
        elif row is not None and row.note:
            text = f"{text}   ({row.note})"
        shown.append(text)
    shown.insert(1, "  ".join("-" * width for width in widths))
    return "\n".join(shown)


def verdict(rows: Sequence[Row]) -> str:
    """How many bars are met, in one line."""
    judged = [row.passed for row in rows if row.passed is not None]
    missing = sum(bool(row.reason) for row in rows)
    text = f"{sum(judged)} of {len(judged)} bars met"
    return f"{text}, {missing} not run" if missing else text


def _cells(row: Row) -> tuple[str, ...]:
    if row.bar is None:
        bar = NOTHING
    else:
        sign = "<=" if row.direction == "at most" else ">="
        bar = f"{sign} {_number(row.bar)}" + ("" if row.on_ratio or not row.unit else f" {row.unit}")
    passed = NOTHING if row.passed is None else "yes" if row.passed else "NO"
    return (
        row.what,
        _measured(row.ours, row.unit),
        _measured(row.reference, row.unit),
        NOTHING if row.ratio is None else _number(row.ratio),
        bar,
        passed,
    )


def _measured(value: float | None, unit: str) -> str:
    return NOTHING if value is None else f"{_number(value)} {unit}".rstrip()


def _number(value: float) -> str:
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"
