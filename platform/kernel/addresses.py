"""Which addresses may be asked for: web addresses that lead to the public internet, and no others."""

import ipaddress
import re
import socket
from collections.abc import Sequence
from typing import Final, Protocol
from urllib.parse import SplitResult, quote, urlsplit

from kernel.errors import InvalidInput

PORTS: Final = frozenset({80, 443, 8080, 8443})
DEFAULT_PORTS: Final = {"http": 80, "https": 443}
MAX_URL: Final = 2_000
SAFE: Final = "/%:@!$&'()*+,;=~-._"
# What is no part of an address: blanks, control characters, and the backslash, which programs read in different ways.
FORBIDDEN = re.compile(r"[\x00-\x20\x7f-\xa0\\]")
HOST = re.compile(r"[a-z0-9_-]{1,63}(?:\.[a-z0-9_-]{1,63})*\.?")
# The last label of a name is no number, so this is an IPv4 address in one of its odd spellings (WHATWG URL, 3.5).
NUMBER = re.compile(r"(?:\d+|0x[0-9a-f]*)")

# IANA's special-purpose registries (RFC 6890 and what it has grown to), multicast and reserved space. Written down
# instead of `is_global`, whose answers differ between versions of Python.
SPECIAL_V4: Final = tuple(map(ipaddress.IPv4Network, (
    "0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24",
    "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16", "192.175.48.0/24",
    "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4",
    "168.63.129.16/32",  # public by its number, yet every Azure machine's own service of the platform
)))  # fmt: skip
GLOBAL_UNICAST_V6: Final = ipaddress.IPv6Network("2000::/3")
"""All that is given out to anybody. What lies outside is refused as a whole: mapped and compatible IPv4, NAT64
(64:ff9b::/96 and 64:ff9b:1::/48), unique local, link-local, site-local, multicast, and cloud metadata in fd00::/8."""
SPECIAL_V6: Final = tuple(map(ipaddress.IPv6Network, (
    "2001::/23",       # Teredo and others that carry an IPv4 address or belong to protocols
    "2001:db8::/32", "3fff::/20",  # documentation
    "2002::/16",       # 6to4: an IPv4 address in disguise
    "2620:4f:8000::/48", "2d00::/8", "2e00::/7",
)))  # fmt: skip


class Network(Protocol):
    """Where names lead and what may be reached. There is one in the product, the internet; tests bring their own as an
    argument, and no setting can choose another."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        """The addresses of a name. Raises OSError."""

    def allows(self, address: str, port: int) -> bool:
        """Whether a connection may be made there."""


class Internet:
    """The public internet through this machine's resolver."""

    def resolve(self, host: str, port: int) -> Sequence[str]:
        return [str(found[4][0]) for found in socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)]

    def allows(self, address: str, port: int) -> bool:
        return port in PORTS and is_public(address)


INTERNET: Final = Internet()


def check_url(url: str, *, network: Network = INTERNET) -> SplitResult:
    """The parts of `url` with its host in ASCII. Raises InvalidInput on `url` where it is not one that may be asked
    for, as far as can be told without resolving its name."""
    if len(url) > MAX_URL or FORBIDDEN.search(url):
        raise InvalidInput.of(
            "url", f"must be a web address of at most {MAX_URL:,} characters without blanks"
        )
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise InvalidInput.of("url", "must be a web address such as https://example.com/help") from None
    if parts.scheme not in DEFAULT_PORTS or not parts.hostname:
        raise InvalidInput.of("url", "must begin with https:// or http:// and a host")
    if "@" in parts.netloc:
        raise InvalidInput.of("url", "must hold no user name or password")
    host = _host(parts.hostname)
    port = DEFAULT_PORTS[parts.scheme] if port is None else port
    if is_address(host) and not network.allows(host, port):
        raise InvalidInput.of("url", "must lead to a public address on port 80, 443, 8080 or 8443")
    if isinstance(network, Internet) and port not in PORTS:
        raise InvalidInput.of("url", "must use port 80, 443, 8080 or 8443")
    shown = f"[{host}]" if ":" in host else host
    netloc = shown if port == DEFAULT_PORTS[parts.scheme] else f"{shown}:{port}"
    path, query = quote(parts.path or "/", safe=SAFE), quote(parts.query, safe=f"{SAFE}?")
    return SplitResult(parts.scheme, netloc, path, query, "")


def _host(given: str) -> str:
    if ":" in given:
        try:
            return str(ipaddress.IPv6Address(given))
        except ValueError:
            raise InvalidInput.of("url", "names no host") from None
    try:
        host = given.encode("idna").decode().lower()
    except UnicodeError:
        host = ""
    if not HOST.fullmatch(host) or len(host) > 253:
        raise InvalidInput.of("url", "names no host")
    if NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]) and not is_address(host):
        raise InvalidInput.of("url", "must name a host, or an address in its usual form")
    return host


def is_address(host: str) -> bool:
    """Whether `host` is an address itself, in its usual form."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def is_public(address: str) -> bool:
    """Whether `address`, as the resolver writes it, belongs to the public internet. False for what is no address."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(parsed, ipaddress.IPv4Address):
        return not any(parsed in network for network in SPECIAL_V4)
    if parsed.scope_id is not None or parsed not in GLOBAL_UNICAST_V6:
        return False
    return not any(parsed in network for network in SPECIAL_V6)
