"""Signatures as Standard Webhooks has them (specification 1.0.0, symmetric): HMAC-SHA256 over `id.timestamp.body`."""

import base64
import hashlib
import hmac
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final

PREFIX: Final = "whsec_"
BYTES: Final = 32
"""Of a secret: the specification wants 24 to 64."""


def new_secret() -> str:
    """`whsec_` and 32 random bytes in base64."""
    return PREFIX + base64.b64encode(secrets.token_bytes(BYTES)).decode()


def headers(identifier: str, moment: datetime, body: bytes, keys: Sequence[str]) -> dict[str, str]:
    """The three headers of one attempt at `moment`, with a signature by each of `keys`, the newest first."""
    seconds = str(int(moment.timestamp()))
    return {
        "webhook-id": identifier,
        "webhook-timestamp": seconds,
        "webhook-signature": " ".join(signature(identifier, seconds, body, key) for key in keys),
    }


def signature(identifier: str, seconds: str, body: bytes, key: str) -> str:
    """`v1,` and the signature by one secret, in base64."""
    content = f"{identifier}.{seconds}.".encode() + body
    digest = hmac.digest(base64.b64decode(key.removeprefix(PREFIX)), content, hashlib.sha256)
    return f"v1,{base64.b64encode(digest).decode()}"
