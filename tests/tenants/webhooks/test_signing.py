import base64

import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.hmac import HMAC
from hypothesis import given
from hypothesis import strategies as st

from kernel.clock import now
from tenants.webhooks.signing import headers, new_secret, signature

# The example of the Standard Webhooks specification and of its reference libraries' tests.
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
SIGNED = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def verify(told, body, secret):
    """As a receiver does it, by another library than we sign with. Raises InvalidSignature where none fits."""
    content = f"{told['webhook-id']}.{told['webhook-timestamp']}.".encode() + body
    for one in told["webhook-signature"].split(" "):
        version, _, digest = one.partition(",")
        assert version == "v1"
        mac = HMAC(base64.b64decode(secret.removeprefix("whsec_")), hashes.SHA256())
        mac.update(content)
        try:
            mac.verify(base64.b64decode(digest))
        except InvalidSignature:
            continue
        return
    raise InvalidSignature


def test_the_specifications_example():
    assert signature("msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", b'{"test": 2432232314}', SECRET) == SIGNED


@given(body=st.binary(max_size=200), count=st.integers(1, 2))
def test_another_library_agrees_and_a_changed_byte_is_found(body, count):
    keys = [new_secret() for _ in range(count)]
    signed = headers("one", now(), body, keys)
    for key in keys:
        verify(signed, body, key)
    for told, changed in (
        (signed, body + b"x"),
        ({**signed, "webhook-id": "two"}, body),
        ({**signed, "webhook-timestamp": "1"}, body),
    ):
        with pytest.raises(InvalidSignature):
            verify(told, changed, keys[0])
    with pytest.raises(InvalidSignature):
        verify(signed, body, new_secret())


def test_a_secret_has_as_many_bytes_as_the_specification_wants():
    secret = new_secret()
    assert secret.startswith("whsec_")
    assert 24 <= len(base64.b64decode(secret.removeprefix("whsec_"))) <= 64
    assert new_secret() != secret
