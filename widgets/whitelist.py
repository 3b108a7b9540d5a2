"""The list of websites that may show a widget, as it is written (`widgets.chat.origins` asks it)."""

import ipaddress
import re
from collections.abc import Sequence
from typing import Final
from urllib.parse import urlsplit

from kernel.errors import FieldError, InvalidInput

MAX_ENTRIES: Final = 50
MAX_LENGTH: Final = 300
ALLOWED: Final = "must be an origin such as https://acme.com, http://localhost:3000 or https://*.acme.com"
LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")


def checked(entries: Sequence[str], *, inside: Sequence[str] = ()) -> list[str]:
    """The entries in their usual form (lower case, punycode, no default port), each once.

    `inside` are the tenant's allowedDomains: when there are any, each entry's host must be one of them or below one.
    Raises InvalidInput naming each wrong entry.
    """
    if len(entries) > MAX_ENTRIES:
        raise InvalidInput.of("domain_whitelist", f"at most {MAX_ENTRIES} origins")
    errors: list[FieldError] = []
    kept: dict[str, None] = {}
    for index, entry in enumerate(entries):
        try:
            origin, host = _parsed(entry)
        except ValueError as error:
            errors.append(FieldError(f"domain_whitelist.{index}", str(error) or ALLOWED))
            continue
        if inside and not any(host == domain or host.endswith("." + domain) for domain in inside):
            errors.append(FieldError(f"domain_whitelist.{index}", f"must lie inside {', '.join(inside)}"))
        kept[origin] = None
    if errors:
        raise InvalidInput("the list of websites is not valid", errors=errors)
    return list(kept)


def _parsed(entry: str) -> tuple[str, str]:
    """The entry in its usual form, and its host without the wildcard. Raises ValueError with what is allowed."""
    if len(entry) > MAX_LENGTH or re.search(r"[\s\\@?#]", entry):
        raise ValueError(ALLOWED)
    try:
        parts = urlsplit(entry.lower())
        port = parts.port
    except ValueError:
        raise ValueError(ALLOWED) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0:
        raise ValueError(ALLOWED)
    if parts.path:
        raise ValueError(f"{ALLOWED}, without a path or a final slash")
    wildcard = "*." if parts.hostname.startswith("*.") else ""
    host = _host(parts.hostname.removeprefix("*."), needs_two_labels=bool(wildcard))
    default = {"http": 80, "https": 443}[parts.scheme]
    suffix = "" if port in (None, default) else f":{port}"
    return f"{parts.scheme}://{wildcard}{f'[{host}]' if ':' in host else host}{suffix}", host


def _host(name: str, *, needs_two_labels: bool) -> str:
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        pass
    else:
        if needs_two_labels:
            raise ValueError(f"{ALLOWED}; a wildcard needs a domain name")
        return str(address)
    try:
        host = name if name.isascii() else name.encode("idna").decode()
    except UnicodeError:
        raise ValueError(ALLOWED) from None
    labels = host.split(".")
    if len(host) > 253 or not all(LABEL.fullmatch(label) for label in labels):
        raise ValueError(ALLOWED)
    if needs_two_labels and len(labels) < 2:
        raise ValueError(f"{ALLOWED}; a wildcard for a whole top-level domain is too wide")
    return host
