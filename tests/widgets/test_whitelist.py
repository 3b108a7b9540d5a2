import pytest

from kernel.errors import InvalidInput
from widgets.chat.origins import is_allowed
from widgets.whitelist import checked


@pytest.mark.parametrize(
    ("entry", "kept"),
    [
        ("https://acme.com", "https://acme.com"), ("HTTPS://Acme.COM", "https://acme.com"),
        ("https://acme.com:443", "https://acme.com"), ("http://localhost:3000", "http://localhost:3000"),
        ("https://*.acme.com", "https://*.acme.com"), ("https://bücher.de", "https://xn--bcher-kva.de"),
        ("http://127.0.0.1:8000", "http://127.0.0.1:8000"), ("http://[::1]:8000", "http://[::1]:8000"),
    ],
)  # fmt: skip
def test_an_origin_is_kept_in_its_usual_form(entry, kept):
    assert checked([entry, entry]) == [kept]
    if "*" not in kept:
        assert is_allowed(kept, [kept])


@pytest.mark.parametrize(
    "entry",
    ["", "acme.com", "https://", "https://acme.com/", "https://acme.com/path", "https://acme.com.", "https://acme.com?a",
     "https://user@acme.com", "ftp://acme.com", "https://*", "https://*.com", "https://a.*.com", "https://*acme.com",
     "https://acme.com:0", "https://acme.com:99999", "https://-a.com", "https://a..com", "https://127.0.0.1.", " https://a.com",
     "https://a.com\n", "null", "javascript:alert(1)", "https://" + "a" * 300 + ".com", "https://a\\b.com", "https://[zz]"],
)  # fmt: skip
def test_anything_else_is_refused_with_what_is_allowed(entry):
    with pytest.raises(InvalidInput) as caught:
        checked(["https://fine.com", entry])
    assert [error.field for error in caught.value.errors] == ["domain_whitelist.1"]
    assert "https://" in caught.value.errors[0].message
