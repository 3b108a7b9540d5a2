"""Which websites may show a widget."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from widgets.chat.origins import is_allowed


@pytest.mark.parametrize(
    ("origin", "entry", "allowed"),
    [
        ("https://acme.com", "https://acme.com", True),
        ("https://ACME.com", "https://acme.com", True),
        ("https://acme.com:443", "https://acme.com", True),
        ("https://acme.com:8443", "https://acme.com", False),
        ("http://acme.com", "https://acme.com", False),
        ("https://www.acme.com", "https://acme.com", False),
        ("https://shop.acme.com", "https://*.acme.com", True),
        ("https://a.b.acme.com", "https://*.acme.com", True),
        ("https://acme.com", "https://*.acme.com", False),
        ("https://evilacme.com", "https://*.acme.com", False),
        ("https://acme.com.evil.com", "https://*.acme.com", False),
        ("https://.acme.com", "https://*.acme.com", False),
        ("https://acme.com.", "https://acme.com", False),
        ("https://user@acme.com", "https://acme.com", False),
        ("https://acme.com/path", "https://acme.com", False),
        ("http://localhost:3000", "http://localhost:3000", True),
        ("null", "https://acme.com", False),
        ("", "https://acme.com", False),
        (None, "https://acme.com", False),
        ("file://", "https://acme.com", False),
        ("https://acme.com:99999", "https://acme.com", False),
    ],
)
def test_matching(origin, entry, allowed):
    assert is_allowed(origin, [entry]) is allowed


@given(st.text(max_size=60))
def test_nothing_that_merely_ends_alike_is_let_in(prefix):
    origin = f"https://{prefix}acme.com"
    if is_allowed(origin, ["https://*.acme.com"]):
        host = origin.lower().removeprefix("https://").partition(":")[0]
        assert host.endswith(".acme.com")


def test_an_empty_list_lets_nobody_in():
    assert not is_allowed("https://acme.com", [])
