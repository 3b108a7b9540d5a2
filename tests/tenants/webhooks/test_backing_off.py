from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants.webhooks.backing_off import LONGEST_ASKED, SPAN, WAITS, asked_wait, next_attempt

BEGAN = datetime(2026, 3, 1, tzinfo=UTC)
chances = st.lists(st.floats(0, 1), min_size=len(WAITS), max_size=len(WAITS))
waits = st.lists(
    st.one_of(st.none(), st.timedeltas(timedelta(0), timedelta(days=30))),
    min_size=len(WAITS),
    max_size=len(WAITS),
)


def attempts(drawn, asked=None, took=timedelta(0)):
    """When each attempt is made, where every one of them fails."""
    made, now = [BEGAN], BEGAN
    while True:
        now = made[-1] + took
        number = len(made)
        at = next_attempt(
            tries=number,
            due_from=BEGAN,
            now=now,
            retry_after=asked[number - 1] if asked and number <= len(WAITS) else None,
            chance=drawn[min(number, len(WAITS)) - 1],
        )
        if at is None:
            return made
        made.append(at)


@given(drawn=chances, took=st.timedeltas(timedelta(0), timedelta(seconds=15)))
def test_it_is_tried_thirteen_times_ever_more_seldom_within_three_days(drawn, took):
    made = attempts(drawn, took=took)
    assert len(made) == len(WAITS) + 1 == 13
    assert made[-1] - BEGAN <= SPAN == timedelta(days=3)
    assert made[-1] - BEGAN >= timedelta(days=2)
    between = [later - sooner for sooner, later in pairwise(made)]
    assert between == sorted(between)
    assert between[0] <= timedelta(seconds=5) + took


@given(drawn=chances, asked=waits)
def test_what_a_receiver_asks_for_is_kept_within_bounds(drawn, asked):
    made, plain = attempts(drawn, asked), attempts(drawn)
    assert made[-1] - BEGAN <= SPAN
    assert len(made) <= len(plain)
    for number, (sooner, later) in enumerate(pairwise(made), start=1):
        wanted = asked[number - 1] or timedelta(0)
        own = plain[number] - plain[number - 1]
        assert later - sooner == min(max(own, min(wanted, LONGEST_ASKED)), BEGAN + SPAN - sooner)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120), (" 7 ", 7), ("0", 0), ("Sun, 01 Mar 2026 00:02:00 GMT", 120),
        ("Sat, 28 Feb 2026 00:00:00 GMT", 0), ("99999999999999999999", 10**8),
    ],
)  # fmt: skip
def test_retry_after(header, seconds):
    assert asked_wait(header, BEGAN) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "header", [None, "", "soon", "-5", "1.5", "٣", "Sun, 01 Mar 2026 00:02:00", "Sun, 99 Foo"]
)
def test_what_is_no_retry_after(header):
    assert asked_wait(header, BEGAN) is None
