"""The leaves that everything stands on: ids, money, secrets at rest, statements."""

import time
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kernel.encryption import InvalidToken, decrypt, encrypt
from kernel.ids import uuid7
from kernel.money import as_text, money
from kernel.statements import statements_in

amounts = st.decimals(min_value="-10000000", max_value="10000000", allow_nan=False, allow_infinity=False)


def test_ids_are_version_seven_and_in_the_order_of_time():
    made = []
    for _ in range(5):
        made.append(uuid7())
        time.sleep(0.002)
    assert made == sorted(made)
    assert {(identifier.version, identifier.variant) for identifier in made} == {(7, "specified in RFC 4122")}
    assert abs((made[0].int >> 80) / 1000 - time.time()) < 60


def test_ids_do_not_repeat():
    assert len({uuid7() for _ in range(10_000)}) == 10_000


@given(amounts)
def test_money_is_rounded_once_and_written_back_the_same(amount):
    kept = money(amount)
    assert money(kept) == kept
    assert abs(kept - amount) <= Decimal("0.00000000005")
    assert Decimal(as_text(kept)) == kept
    assert "E" not in as_text(kept)


def test_a_float_is_not_money():
    with pytest.raises(TypeError):
        money(0.1)


def test_half_a_quantum_goes_to_the_even_side():
    assert money("0.00000000005") == 0
    assert money("0.00000000015") == Decimal("0.0000000002")


@given(st.text())
def test_what_is_encrypted_is_read_back(secret):
    assert decrypt(encrypt(secret)) == secret


def test_a_rotated_key_still_reads_and_a_lost_one_does_not(settings):
    settings.ENCRYPTION_KEYS = ("old" * 12,)
    token = encrypt("hush")
    settings.ENCRYPTION_KEYS = ("new" * 12, "old" * 12)
    assert decrypt(token) == "hush"
    settings.ENCRYPTION_KEYS = ("new" * 12,)
    with pytest.raises(InvalidToken):
        decrypt(token)


def test_a_statement_is_its_file(tmp_path):
    (tmp_path / "one.sql").write_text("SELECT 1")
    statement = statements_in(tmp_path)
    assert statement("one") == "SELECT 1"
    with pytest.raises(FileNotFoundError):
        statement("two")
