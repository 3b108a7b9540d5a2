"""Secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) under rotating keys.

The first of settings.ENCRYPTION_KEYS encrypts, every one of them decrypts, so a key is rotated by putting a new one in
front and re-encrypting at leisure (`manage.py rotate_keys`).
"""

import base64
import hashlib
from functools import lru_cache
from typing import Final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["InvalidToken", "decrypt", "encrypt", "is_current", "is_token", "renewed"]

# A Fernet token's version byte (0x80) and the first three of its time, in base64: the same until the year 2106.
BEGINS: Final = b"gAAAAA"


def encrypt(secret: str) -> bytes:
    """`secret` as a token that only an install with one of our keys can read."""
    return _keys().encrypt(secret.encode())


def decrypt(token: bytes | memoryview) -> str:
    """The secret of a token. Raises InvalidToken when no key fits or it was tampered with."""
    return _keys().decrypt(bytes(token)).decode()


def is_token(value: bytes | memoryview) -> bool:
    """Whether `value` looks like a token; any of our keys may fit, or none."""
    return bytes(value).startswith(BEGINS)


def is_current(token: bytes | memoryview) -> bool:
    """Whether the first key made this token. False where another one did, or none of ours."""
    try:
        _fernet(settings.ENCRYPTION_KEYS[0]).decrypt(bytes(token))
    except InvalidToken:
        return False
    return True


def renewed(token: bytes | memoryview) -> bytes:
    """The same secret under the first key. Raises InvalidToken when no key fits."""
    return _keys().rotate(bytes(token))


def _keys() -> MultiFernet:
    return MultiFernet([_fernet(key) for key in settings.ENCRYPTION_KEYS])


@lru_cache(maxsize=16)
def _fernet(key: str) -> Fernet:
    # The settings hold any long random text; Fernet wants 32 bytes in base64.
    return Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
