"""The one way out: HTTP to addresses that somebody else chose (pages, web hooks, tools), and to public ones only.

A name is resolved once, all of its addresses are checked, and the connection goes to an address that was checked, with
the name in Host and TLS: a name that changes its mind in between (DNS rebinding) gains nothing. Every redirect starts
from the beginning. Size, time and redirects are bounded, also against a server that sends a byte at a time, headers
without end, or a bomb. No proxy, cookie or credential of this machine is ever used.
"""

import http.client
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, cast
from urllib.parse import SplitResult, urljoin

from kernel.addresses import DEFAULT_PORTS, INTERNET, Network, check_url
from kernel.errors import InvalidInput
from kernel.pinning import OutboundError, Timed, connect, secured, too_slow

__all__ = ["Limits", "OutboundError", "Reply", "check_url", "fetch"]

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
AGENT: Final = "Frontdesk/1.0"
READ_AT_ONCE: Final = 64 * 1024


@dataclass(frozen=True, slots=True)
class Limits:
    """What one call may cost. `size`: bytes of the body, unpacked; `seconds`: in all, redirects included. `cut`: a body
    that is larger is cut off there, for a caller to whom the status says enough; else it is an error."""

    size: int = 10 * 1024 * 1024
    seconds: float = 20.0
    redirects: int = 5
    cut: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """What came back; `url` is where it came from in the end. Names of headers are in lower case."""

    status: int
    url: str
    headers: Mapping[str, str]
    body: bytes


def fetch(
    url: str,
    *,
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    body: bytes | None = None,
    limits: Limits | None = None,
    network: Network = INTERNET,
) -> Reply:
    """Ask for `url` and take in the whole answer, whatever its status. Redirects are followed for GET only; `headers`
    go no further than the first host. Blocks; call it outside any transaction. Raises OutboundError, and InvalidInput
    on `url` where it is not an address that may be asked for."""
    limits = limits or Limits()
    deadline = time.monotonic() + limits.seconds
    sent = dict(headers or {})
    target = check_url(url, network=network)
    for _ in range(limits.redirects + 1):
        reply = _ask(target, method, sent, body, deadline, limits, network)
        if method != "GET" or reply.status not in REDIRECTS or not reply.headers.get("location"):
            return reply
        came_from, target = target, _onwards(reply, network)
        if (target.scheme, target.netloc) != (came_from.scheme, came_from.netloc):
            sent = {}
    raise OutboundError(f"It leads on more than {limits.redirects} times.", code="too_many_redirects")


def _onwards(reply: Reply, network: Network) -> SplitResult:
    """Where a redirect leads, checked as if somebody had asked for it."""
    # http.client reads headers as Latin-1; those who do not escape an address mean UTF-8.
    location = reply.headers["location"].strip().encode("latin-1", "replace").decode("utf-8", "replace")
    try:
        return check_url(urljoin(reply.url, location), network=network)
    except (InvalidInput, ValueError) as error:
        said = error.detail if isinstance(error, InvalidInput) else "url: is no address"
        raise OutboundError(f"It leads on to an address that is refused ({said}).", code="refused") from None


def _ask(
    target: SplitResult,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
    deadline: float,
    limits: Limits,
    network: Network,
) -> Reply:
    """One request, one answer."""
    host, port = cast(str, target.hostname), target.port or DEFAULT_PORTS[target.scheme]
    connected = connect(host, port, deadline, network)
    try:
        if target.scheme == "https":
            connected = secured(connected, host, deadline)
        connection = http.client.HTTPConnection(host, port)
        connection.sock = Timed(connected, deadline)
        connection.auto_open = 0
        _send(connection, target, method, headers, body)
        answer = connection.getresponse()
        names = {name.lower(): value for name, value in answer.getheaders()}
        return Reply(answer.status, target.geturl(), names, _body(answer, names, limits))
    except TimeoutError:
        raise too_slow() from None
    except http.client.HTTPException as error:
        raise OutboundError(
            f"{host} answers what is not HTTP.", code="bad_response", retryable=True
        ) from error
    except OSError as error:
        raise OutboundError(f"{host} broke the connection.", code="unreachable", retryable=True) from error
    finally:
        connected.close()


def _send(
    connection: http.client.HTTPConnection,
    target: SplitResult,
    method: str,
    headers: Mapping[str, str],
    body: bytes | None,
) -> None:
    path = target.path + (f"?{target.query}" if target.query else "")
    fixed = {"host": target.netloc, "user-agent": AGENT, "accept-encoding": "gzip", "connection": "close"}
    if body is not None:
        fixed["content-length"] = str(len(body))
    given = {name.lower(): value for name, value in headers.items()}
    given.pop("transfer-encoding", None)
    try:
        connection.putrequest(method, path, skip_host=True, skip_accept_encoding=True)
        for name, value in {"accept": "*/*", **given, **fixed}.items():
            connection.putheader(name, value)
    except ValueError as error:
        # A line end in a header would begin another one.
        raise InvalidInput.of("headers", "must hold printable characters only") from error
    connection.endheaders(body)


def _body(answer: http.client.HTTPResponse, headers: Mapping[str, str], limits: Limits) -> bytes:
    """The body, unpacked while it comes in, so that a bomb ends at `limits.size` bytes."""
    coding = headers.get("content-encoding", "identity").strip().lower()
    if coding not in ("identity", "", "gzip", "x-gzip", "deflate"):
        raise OutboundError(
            f"It comes packed as {coding[:20]}, which was not asked for.", code="bad_response"
        )
    unpacking: Any = (
        None if coding in ("identity", "") else zlib.decompressobj(47 if "gzip" in coding else 15)
    )
    parts: list[bytes] = []
    size = limits.size
    left, packed = size, 0
    while piece := answer.read1(READ_AT_ONCE):
        packed += len(piece)
        if unpacking is not None:
            try:
                piece = unpacking.decompress(piece, left + 1)
            except zlib.error as error:
                raise OutboundError(
                    "It comes packed, and broken.", code="bad_response", retryable=True
                ) from error
        left -= len(piece)
        if left < 0 or packed > size:
            if limits.cut:
                return b"".join([*parts, piece])[:size]
            raise OutboundError(f"It is larger than {size // 1024 // 1024 or 1} MB.", code="too_large")
        parts.append(piece)
    if answer.length or (unpacking is not None and packed and not unpacking.eof):
        raise OutboundError("It ended before it was complete.", code="bad_response", retryable=True)
    return b"".join(parts)
