"""Which websites may show a widget: the browser's Origin against the widget's whitelist."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from django.conf import settings

from widgets.models import Widget

DEFAULT_PORTS = {"http": 80, "https": 443}


def is_allowed(origin: str | None, whitelist: Iterable[str]) -> bool:
    """Whether a page at `origin` may talk to a widget with this whitelist.

    An entry is an origin (`https://acme.com`, `http://localhost:3000`) or one with a wildcard for one label or more
    (`https://*.acme.com`, which is neither `https://acme.com` nor `https://evilacme.com`). No Origin, `null` and
    anything that is not an http(s) origin are refused.
    """
    asked = _parse(origin)
    return asked is not None and any(_matches(asked, entry) for entry in whitelist)


def allows(widget: Widget, origin: str | None) -> bool:
    """Whether a page at `origin` may show `widget`. Our own pages (the demo) may show every widget."""
    return is_allowed(origin, [*widget.domain_whitelist, settings.BASE_URL])


def _matches(asked: tuple[str, str, int], entry: str) -> bool:
    allowed = _parse(entry)
    if allowed is None or (asked[0], asked[2]) != (allowed[0], allowed[2]):
        return False
    host = allowed[1]
    if host.startswith("*."):
        return asked[1].endswith(host[1:]) and len(asked[1]) > len(host[1:])
    return asked[1] == host


def _parse(origin: str | None) -> tuple[str, str, int] | None:
    """(scheme, host, port) of a bare origin in lower case, or None when it is not one."""
    if not origin:
        return None
    try:
        parts = urlsplit(origin.strip().lower())
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname or parts.path or parts.query or parts.fragment:
        return None
    if parts.username is not None or parts.hostname.endswith("."):
        return None
    return parts.scheme, parts.hostname, port or DEFAULT_PORTS[parts.scheme]
