"""Strict readers of the environment: a wrong value stops the start with one sentence that names the setting.

An empty value counts as unset, because Compose files and CI systems hand over empty strings for what
nobody filled in. No reader puts a secret's value into its message.
"""

import ipaddress
import os
import re
from collections.abc import Collection
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlsplit

DOLLARS = re.compile(r"\d{1,6}(\.\d{1,10})?", re.ASCII)
LEAST_DOLLARS, MOST_DOLLARS = Decimal("0.0001"), Decimal(100_000)
_TRUE = frozenset({"1", "true", "yes", "on"})
_FALSE = frozenset({"0", "false", "no", "off"})


class ConfigurationError(Exception):
    """A setting is wrong. Its text is one sentence for the operator; doors print it and exit with 2."""


def text(name: str, default: str = "") -> str:
    """The value of `name` without surrounding blanks, or `default` where it is unset or empty."""
    return os.environ.get(name, "").strip() or default


def integer(name: str, default: int, minimum: int, maximum: int) -> int:
    """A whole number within `minimum` and `maximum`, both included."""
    raw = text(name)
    if not raw:
        return default
    # Bounded in length first: int() of a hostile million digits is slow, and of over 4,300 digits raises.
    digits = raw.removeprefix("-")
    value = int(raw) if digits.isascii() and digits.isdigit() and len(digits) <= 20 else None
    if value is None or not minimum <= value <= maximum:
        shown = raw if len(raw) <= 40 else raw[:40] + "…"
        raise ConfigurationError(
            f"{name} is {shown!r}: it must be a whole number from {minimum} to {maximum}."
        )
    return value


def dollars(name: str, default: str) -> Decimal:
    """An amount of money from 0.0001 to 100,000 dollars."""
    raw = text(name, default)
    value = Decimal(raw) if DOLLARS.fullmatch(raw) else None
    if value is None or not LEAST_DOLLARS <= value <= MOST_DOLLARS:
        raise ConfigurationError(
            f"{name} is {raw[:40]!r}: it must be dollars from {LEAST_DOLLARS} to {MOST_DOLLARS:,}, such as 2.50."
        )
    return value


def choice(name: str, allowed: Collection[str], default: str) -> str:
    """One of `allowed`, compared in lower case."""
    value = text(name, default).lower()
    if value not in allowed:
        raise ConfigurationError(f"{name} is {value!r}: it must be one of {', '.join(sorted(allowed))}.")
    return value


def flag(name: str, default: bool) -> bool:
    """Yes or no: 1, true, yes, on or 0, false, no, off."""
    value = text(name).lower()
    if not value:
        return default
    if value not in _TRUE | _FALSE:
        raise ConfigurationError(f"{name} is {value!r}: it must be 1 or 0.")
    return value in _TRUE


def words(name: str, default: tuple[str, ...] = ()) -> tuple[str, ...]:
    """A list separated by commas; blanks around its entries and empty entries are dropped."""
    found = tuple(word.strip() for word in text(name).split(",") if word.strip())
    return found or default


def networks(name: str) -> tuple[str, ...]:
    """A list of IP addresses or networks (`10.0.0.0/8`), each checked."""
    entries = words(name)
    for entry in entries:
        try:
            ipaddress.ip_network(entry, strict=False)
        except ValueError:
            raise ConfigurationError(
                f"{name} names {entry!r}: each entry must be an IP address or a network such as 10.0.0.0/8."
            ) from None
    return entries


def secret(name: str, default: str = "") -> str:
    """The secret `name`, or the content of the file that `<name>_FILE` points to, stripped of blanks."""
    direct, path = text(name), text(f"{name}_FILE")
    if direct and path:
        raise ConfigurationError(f"{name} and {name}_FILE are both set: set one of them.")
    if not path:
        return direct or default
    try:
        content = Path(path).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise ConfigurationError(f"{name}_FILE is {path!r}: it cannot be read ({reason}).") from None
    if not content:
        raise ConfigurationError(f"{name}_FILE is {path!r}: the file is empty.")
    return content


def url(name: str, default: str = "", *, schemes: Collection[str] = ("http", "https")) -> str:
    """A URL with one of `schemes`, read as a secret is, because URLs carry passwords; '' where unset."""
    value = secret(name, default)
    if not value:
        return ""
    expected = f"it must be a URL that begins with {' or '.join(f'{scheme}://' for scheme in schemes)}"
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        raise ConfigurationError(f"{name} is not a valid URL: {expected}.") from None
    if parts.scheme not in schemes:
        raise ConfigurationError(f"{name} does not have a known scheme: {expected}.")
    if not (parts.netloc or parts.path.strip("/")) or port == 0:
        raise ConfigurationError(f"{name} names no host: {expected}.")
    if parts.scheme in {"http", "https", "ws", "wss"} and not parts.hostname:
        raise ConfigurationError(f"{name} names no host: {expected}.")
    return value
