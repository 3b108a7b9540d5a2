"""uvicorn's HTTP protocol, mended where it closes sockets that are not its own any more."""

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


class UpgradeSafeProtocol(HttpToolsProtocol):
    """HTTP whose keep-alive timer leaves a connection alone that has become a WebSocket.

    In uvicorn 0.54 a socket opened on a kept-alive connection, as proxies and some clients do, was closed after five
    seconds when the upgrade arrived before the earlier response was marked complete: the timer still ran.
    """

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_protocol() is self:
            super().timeout_keep_alive_handler()
