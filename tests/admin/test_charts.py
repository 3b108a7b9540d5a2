"""Charts: what is drawn adds up to what is told."""

from datetime import date, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.administration.charts import HEIGHT, Chart, Series, round_up
from tenants.administration.wording import dollars, facts

DAY = date(2026, 3, 1)
AMOUNTS = st.one_of(st.none(), st.floats(min_value=0, max_value=1e9, allow_subnormal=False))


def drawn(*columns, **fields):
    length = len(columns[0])
    days = [DAY + timedelta(days=number) for number in range(length)]
    series = [Series(f"series {number}", "1", values) for number, values in enumerate(columns)]
    return Chart("x", "Title", days, series, **fields)


@given(
    st.integers(1, 90).flatmap(
        lambda n: st.lists(st.lists(AMOUNTS, min_size=n, max_size=n), min_size=1, max_size=5)
    )
)
def test_bars_stay_inside_and_their_heights_are_the_values(columns):
    chart = drawn(*columns)
    length = len(columns[0])
    bars = list(chart.bars)
    for bar in bars:
        assert 0 <= bar.x < bar.x + bar.width <= length
        assert -1e-6 <= bar.y <= HEIGHT
        assert bar.y + bar.height <= HEIGHT + 1e-6
    total = sum(value or 0 for values in columns for value in values)
    assert sum(bar.height for bar in bars) == pytest.approx(total / chart.ceiling * HEIGHT)
    assert len(chart.rows) == length
    assert [row.day for row in chart.rows] == sorted(chart.days, reverse=True)


@given(st.floats(min_value=1e-9, max_value=1e12))
def test_a_ceiling_is_not_below_and_not_far_above(value):
    assert value * (1 - 1e-6) <= round_up(value) <= value * 2.001


def test_a_line_is_broken_where_a_day_has_nothing():
    chart = drawn([1, 2, None, 4], kind="lines")
    line, dots = chart.lines
    assert (line.d.count("M"), line.d.count("L"), line.is_dots) == (1, 1, False)
    assert (dots.d.count("M"), dots.is_dots) == (1, True)
    assert list(chart.bars) == []
    assert chart.rows[1].values == [""]


def test_one_day_and_no_value_are_drawn_too():
    assert [label.at for label in drawn([3]).day_labels] == [50]
    empty = drawn([None, 0])
    assert empty.is_empty
    assert empty.ceiling == 2


@pytest.mark.parametrize(
    ("amount", "words"),
    [(None, "unknown"), ("0", "$0.00"), ("1234.5", "$1,234.50"), ("0.0012", "$0.0012"),
     ("0.00000001", "under $0.000001"),
     ("-3", "-$3.00"), ("0.005", "$0.005"), ("12.345", "$12.35")],
)  # fmt: skip
def test_money_in_words(amount, words):
    assert dollars(None if amount is None else Decimal(amount)) == words


def test_facts_are_escaped_and_need_no_reading_of_json():
    told = facts({"user_plan": "<b>", "open": True, "nested": {"a": [1, 2]}, "empty": None})
    assert "<dt>user plan</dt><dd>&lt;b&gt;</dd>" in told
    assert "a: 1, 2" in told
    assert "{" not in told
    assert facts({}) == "none"
