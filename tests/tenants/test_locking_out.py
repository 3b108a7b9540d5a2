"""Guessing made slow: by account, by address, at once, and without Redis."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenants import locking_out
from tenants.locking_out import LockedOut, account, address, begin_try, succeeded

WHO = account("owner@acme.example")


@pytest.fixture
def away(settings):
    settings.REDIS_URL = "redis://127.0.0.1:1/0"
    locking_out._HERE._counts.clear()


def tries(subject, most=100):
    """How many tries are free."""
    for number in range(most):
        try:
            begin_try(subject)
        except LockedOut:
            return number
    return most


def test_five_tries_are_free_and_waits_double(redis):
    assert tries(WHO) == 5
    tries_key, wait_key = locking_out._keys(WHO)
    waits = []
    for _ in range(9):
        waits.append(round(redis.pttl(wait_key) / 1000))
        redis.delete(wait_key)
        begin_try(WHO)
    assert waits == [15, 30, 60, 120, 240, 480, 900, 900, 900]
    assert 0 < redis.ttl(tries_key) <= locking_out.REMEMBERED_S


def test_a_refused_try_is_not_counted_and_says_the_wait(redis):
    tries(WHO)
    tries_key, _ = locking_out._keys(WHO)
    counted = redis.get(tries_key)
    with pytest.raises(LockedOut, match=r"Try again in 15 seconds\.") as refused:
        begin_try(WHO)
    assert refused.value.wait == 15
    assert redis.get(tries_key) == counted


def test_a_right_password_begins_anew_for_the_account_and_takes_one_back_for_the_address(redis):
    here = address("198.51.100.7")
    for _ in range(4):
        begin_try(here, WHO)
    succeeded(here, WHO)
    assert tries(WHO) == 5
    assert tries(here) == here.free - 3
    # One who has an account does not wipe out the tries at others'.
    redis.delete(locking_out._keys(here)[1])
    begin_try(here)
    succeeded(here)
    begin_try(here)
    with pytest.raises(LockedOut):
        begin_try(here)


def test_others_are_not_touched(redis):
    tries(WHO)
    assert tries(account("owner@bolt.example")) == 5


def test_a_hundred_tries_at_once_are_counted_one_by_one(redis):
    def attempt(_):
        try:
            begin_try(WHO)
        except LockedOut:
            return 0
        return 1

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(100))) == 5


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("2001:db8::1", "2001:db8::ffff", True),
        ("2001:db8::1", "2001:db8:0:1::1", False),
        ("::ffff:203.0.113.7", "203.0.113.7", True),
        ("203.0.113.7", "203.0.113.8", False),
        ("", "unix:", True),
    ],
)
def test_an_address_is_a_customers_network(one, other, is_same):
    assert (address(one).name == address(other).name) is is_same


def test_without_redis_the_process_counts(away):
    assert tries(WHO) == 5
    succeeded(WHO)
    assert tries(WHO) == 5
    here = address("198.51.100.7")
    assert tries(here) == 30


@given(st.lists(st.booleans(), max_size=60))
def test_the_process_never_admits_more_than_redis_would(rights):
    counter = locking_out._Counter()
    wrong = 0
    for right in rights:
        if counter.tried(WHO) > 0:
            assert wrong >= WHO.free
            return
        if right:
            counter.right(WHO, forget=True)
            wrong = 0
        else:
            wrong += 1
            assert wrong <= WHO.free


def test_the_process_forgets_the_longest_unseen(away, monkeypatch):
    monkeypatch.setattr(locking_out, "COUNTED_HERE", 3)
    for number in range(10):
        begin_try(account(f"{number}@acme.example"))
    assert len(locking_out._HERE._counts) == 3


def test_redis_holds_no_email(redis):
    begin_try(account("owner@acme.example"))
    assert not any(b"acme" in key for key in redis.keys("*"))
