"""Secrets at rest: Fernet (AES-128-CBC with HMAC-SHA256) under rotating keys.

The first of settings.ENCRYPTION_KEYS encrypts, every one of them decrypts, so a key is rotated by putting a new one in
front and re-encrypting at leisure.
"""

import base64
import hashlib

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

__all__ = ["InvalidToken", "decrypt", "encrypt"]


def encrypt(secret: str) -> bytes:
    """`secret` as a token that only an install with one of our keys can read."""
    return _keys().encrypt(secret.encode())


def decrypt(token: bytes | memoryview) -> str:
    """The secret of a token. Raises InvalidToken when no key fits or it was tampered with."""
    return _keys().decrypt(bytes(token)).decode()


def _keys() -> MultiFernet:
    # The settings hold any long random text; Fernet wants 32 bytes in base64.
    return MultiFernet(
        [
            Fernet(base64.urlsafe_b64encode(hashlib.sha256(key.encode()).digest()))
            for key in settings.ENCRYPTION_KEYS
        ]
    )
