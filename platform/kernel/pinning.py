"""Connections to addresses that were checked: a name is resolved once, and what was checked is what is connected to."""

import io
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from functools import cache
from typing import Any

from kernel.addresses import Network, is_address
from kernel.errors import FrontdeskError


class OutboundError(FrontdeskError):
    """Nothing, or nothing usable, came back. `code` is refused, unreachable, timeout, too_large, too_many_redirects or
    bad_response; `retryable` says whether the same call may succeed later."""

    code = "unreachable"

    def __init__(self, detail: str, *, code: str, retryable: bool = False) -> None:
        super().__init__(detail, code=code)
        self.retryable = retryable


def connect(host: str, port: int, deadline: float, network: Network) -> socket.socket:
    """A connection to the first of the host's addresses that answers; all of them must be allowed."""
    addresses = _resolve(host, port, deadline, network)
    if not all(network.allows(address, port) for address in addresses):
        raise OutboundError(f"{host} leads to an address that is not public.", code="refused")
    failure: OSError | None = None
    for at, address in enumerate(addresses):
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        connecting = socket.socket(family, socket.SOCK_STREAM)
        try:
            # An address that does not answer may not use up the time of the others.
            connecting.settimeout(_left(deadline) / (len(addresses) - at))
            connecting.connect((address, port))
        except OSError as error:
            connecting.close()
            failure = error
        else:
            return connecting
    if isinstance(failure, TimeoutError):
        raise too_slow()
    raise OutboundError(f"{host} cannot be reached.", code="unreachable", retryable=True) from failure


def _resolve(host: str, port: int, deadline: float, network: Network) -> Sequence[str]:
    if is_address(host):
        return [host]
    try:
        # The system's resolver knows no time limit: its thread may outlive our patience.
        found = _resolvers().submit(network.resolve, host, port).result(_left(deadline))
    except NotInTime:
        raise too_slow() from None
    except (OSError, UnicodeError) as error:
        lasting = isinstance(error, socket.gaierror) and error.errno in (socket.EAI_NONAME, socket.EAI_NODATA)
        raise OutboundError(
            f"There is no host {host}." if lasting else f"The name {host} cannot be resolved.",
            code="unreachable",
            retryable=not lasting,
        ) from error
    if not found:
        raise OutboundError(f"There is no host {host}.", code="unreachable")
    return list(dict.fromkeys(found))[:4]


def secured(plain: socket.socket, host: str, deadline: float) -> ssl.SSLSocket:
    """TLS over the connection, with the host's certificate checked. Raises OutboundError and OSError."""
    plain.settimeout(_left(deadline))
    try:
        return _tls().wrap_socket(plain, server_hostname=host.rstrip("."))
    except ssl.SSLCertVerificationError as error:
        raise OutboundError(
            f"{host} has no valid certificate: {error.verify_message}.", code="refused"
        ) from error


class Timed:
    """A socket whose every wait ends at the deadline, as http.client uses one. It is closed by whoever opened it."""

    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected, self.deadline = connected, deadline

    def sendall(self, data: bytes) -> None:
        self.connected.settimeout(_left(self.deadline))
        self.connected.sendall(data)

    def makefile(self, mode: str) -> io.BufferedReader:
        return io.BufferedReader(_TimedReader(self.connected, self.deadline))

    def close(self) -> None:
        """Nothing: http.client closes early, while the answer is still to be read."""


class _TimedReader(io.RawIOBase):
    def __init__(self, connected: socket.socket, deadline: float) -> None:
        self.connected, self.deadline = connected, deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self.connected.settimeout(_left(self.deadline))
        return self.connected.recv_into(buffer)


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise too_slow()
    return left


def too_slow() -> OutboundError:
    """The deadline has passed."""
    return OutboundError("It takes too long to answer.", code="timeout", retryable=True)


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()


@cache
def _resolvers() -> ThreadPoolExecutor:
    return ThreadPoolExecutor(8, thread_name_prefix="resolver")
