"""Charts drawn on the server: a plot that stretches to its page's width, and the same figures as a table.

A template includes `admin/charts/chart.html` with one Chart. The plot is an SVG of one unit per day and a hundred in
height; axes and legend are text beside it, so that they never stretch.
"""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from typing import Final, Literal, NamedTuple

HEIGHT: Final = 100
BAR: Final = 0.72
"""The share of a day's width that its bar takes."""
LABELS: Final = 5
"""Days named below the plot, at most."""
STEPS: Final = (1, 2, 4, 6, 8, 10)
"""Round numbers whose half is one too."""


def whole(value: float) -> str:
    """A count: `1,204`."""
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.1f}"


@dataclass(frozen=True, slots=True)
class Series:
    """One line or one layer of the bars. `tone` is its colour (1 to 6, "good", "bad"); None: nothing that day."""

    name: str
    tone: str
    values: Sequence[float | None]


class Bar(NamedTuple):
    """A rectangle of the plot."""

    tone: str
    x: float
    y: float
    width: float
    height: float


class Path(NamedTuple):
    """A line of the plot, as the `d` of an SVG path; or all of a line's days without a neighbour, as dots."""

    tone: str
    d: str
    is_dots: bool


class Tick(NamedTuple):
    """A mark on an axis: how far along, in per cent, and its words."""

    at: float
    text: str


class Row(NamedTuple):
    """A day of the table."""

    day: date
    values: list[str]
    total: str


@dataclass(frozen=True)
class Chart:
    """Figures by day, drawn as stacked bars or as lines. `show` words a value; `empty` is said where there is none."""

    key: str
    title: str
    days: Sequence[date]
    series: Sequence[Series]
    kind: Literal["bars", "lines"] = "bars"
    show: Callable[[float], str] = whole
    note: str = ""
    empty: str = "Nothing in this time yet."

    @property
    def is_empty(self) -> bool:
        return not any(value for series in self.series for value in series.values)

    @property
    def has_total(self) -> bool:
        """Whether the layers add up to something."""
        return self.kind == "bars" and len(self.series) > 1

    @cached_property
    def ceiling(self) -> float:
        """The top of the axis: the least round number that nothing passes."""
        if self.kind == "bars":
            top = max((sum(values) for values in self._by_day()), default=0.0)
        else:
            top = max((value or 0.0 for series in self.series for value in series.values), default=0.0)
        # Half a session is none.
        return max(round_up(top), 2.0) if self.show is whole else round_up(top)

    @property
    def ticks(self) -> list[Tick]:
        """Marks of the upright axis, from the bottom."""
        return [Tick(share * 100, self.show(self.ceiling * share)) for share in (0, 0.5, 1)]

    @property
    def day_labels(self) -> list[Tick]:
        """Days named below the plot."""
        last = len(self.days) - 1
        if last < 1:
            return [Tick(50, f"{day.day} {day:%b}") for day in self.days]
        chosen = sorted({round(last * number / (LABELS - 1)) for number in range(LABELS)})
        return [
            Tick((index + 0.5) / len(self.days) * 100, f"{self.days[index].day} {self.days[index]:%b}")
            for index in chosen
        ]

    @property
    def bars(self) -> Iterator[Bar]:
        """Every layer of every day, from the bottom."""
        if self.kind != "bars":
            return
        for index, values in enumerate(self._by_day()):
            below = 0.0
            for series, value in zip(self.series, values, strict=True):
                if value <= 0:
                    continue
                height = value / self.ceiling * HEIGHT
                below += height
                yield Bar(series.tone, index + (1 - BAR) / 2, HEIGHT - below, BAR, height)

    @property
    def lines(self) -> Iterator[Path]:
        """Every line, broken where a day has nothing; a day without a neighbour is a dot."""
        if self.kind != "lines":
            return
        for series in self.series:
            line, dots = "", ""
            known = [None, *series.values, None]
            for index, value in enumerate(series.values):
                if value is None:
                    continue
                before, after = known[index], known[index + 2]
                point = f"{index + 0.5:g} {HEIGHT - value / self.ceiling * HEIGHT:.2f}"
                if before is None and after is None:
                    dots += f"M{point}h.001"
                else:
                    line += f"{'M' if before is None else 'L'}{point}"
            for d, is_dots in ((line, False), (dots, True)):
                if d:
                    yield Path(series.tone, d, is_dots)

    @property
    def rows(self) -> list[Row]:
        """The figures by day, newest first."""
        told = []
        for index, day in enumerate(self.days):
            values = [series.values[index] for series in self.series]
            words = ["" if value is None else self.show(value) for value in values]
            told.append(Row(day, words, self.show(sum(value or 0.0 for value in values))))
        return told[::-1]

    @property
    def totals(self) -> list[tuple[Series, str]]:
        """Each layer and its sum, or a line's median, for the legend."""
        return [(series, self.show(self._summed(series))) for series in self.series]

    def _summed(self, series: Series) -> float:
        known = sorted(value for value in series.values if value is not None)
        if self.kind == "lines":
            return known[len(known) // 2] if known else 0.0
        return sum(known)

    def _by_day(self) -> list[list[float]]:
        return [
            [max(series.values[index] or 0.0, 0.0) for series in self.series]
            for index in range(len(self.days))
        ]


def round_up(value: float) -> float:
    """The least of STEPS times a power of ten that is not below `value`; 1 for nothing at all."""
    if value <= 0:
        return 1.0
    power = 10.0 ** math.floor(math.log10(value))
    return next(step * power for step in STEPS if step * power >= value * (1 - 1e-9))
