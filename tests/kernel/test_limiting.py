"""Limits hold across processes, refuse by name, never shut anybody out for good, and survive without Redis."""

import itertools
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as how
from hypothesis import strategies as st

from kernel import limiting
from kernel.limiting import Limit, take

FAST = Limit("fast", 1000.0, 5)
SLOW = Limit("slow", 0.01, 3)
names = (f"subject-{number}" for number in itertools.count())


@pytest.fixture(autouse=True)
def limited(settings, redis, monkeypatch):
    settings.RATE_LIMITS = True
    monkeypatch.setattr(limiting, "_left_alone_until", 0.0)
    limiting._script.cache_clear()
    limiting._due.clear()


@pytest.fixture(params=["Redis", "no Redis"])
def anywhere(request, settings):
    if request.param == "no Redis":
        settings.REDIS_URL = "unix:///tmp/no-such-frontdesk.sock"
        limiting._script.cache_clear()


def test_a_burst_passes_and_then_the_rate_holds(anywhere):
    subject = next(names)
    verdicts = [take((SLOW, subject)) for _ in range(4)]
    assert [verdict.allowed for verdict in verdicts] == [True, True, True, False]
    assert [verdict.remaining for verdict in verdicts] == [2, 1, 0, 0]
    assert 95 < verdicts[-1].retry_after_s <= 100
    assert take((SLOW, next(names))).allowed


def test_the_tightest_limit_speaks_and_nothing_is_counted_when_one_refuses(anywhere):
    both = ((SLOW, next(names)), (FAST, next(names)))
    for _ in range(3):
        assert take(*both).limit is SLOW
    refused = take(*both)
    assert (refused.allowed, refused.limit) == (False, SLOW)
    assert take(both[1]).remaining >= 1


def test_a_limit_says_itself_in_headers(anywhere):
    verdict = take((SLOW, next(names)))
    assert verdict.headers()["RateLimit-Policy"] == '"slow";q=3;w=300'
    assert verdict.headers()["RateLimit"].startswith('"slow";r=2;t=')


def test_many_at_once_get_exactly_the_burst():
    subject = next(names)
    with ThreadPoolExecutor(16) as threads:
        verdicts = list(threads.map(lambda _: take((SLOW, subject)), range(64)))
    assert sum(verdict.allowed for verdict in verdicts) == 3


def test_switched_off_nothing_is_counted(settings):
    settings.RATE_LIMITS = False
    assert take((SLOW, "anybody")) is None


@given(per_second=st.floats(0.01, 50), at_once=st.integers(1, 40), asked=st.integers(1, 60))
@how(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_without_redis_and_with_it_alike(per_second, at_once, asked):
    limit = Limit("property", per_second, at_once)
    subject = next(names)
    keys = [f"k:{subject}"]
    for number in range(1, asked + 1):
        in_redis = limiting._in_redis(keys, [limit])
        here = limiting.count_here(keys, [limit])
        assert in_redis is not None
        if number <= at_once:
            assert (in_redis[0], here[0]) == (False, False)
        assert abs(in_redis[1][0] - here[1][0]) < 1 + 2 / per_second
