"""uvicorn's HTTP protocol, mended where it closes sockets that are not its own any more, keeps what has no end, and
refuses in words of its own."""

from typing import Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from tenants.rest.problems import of_status

# Of a request's head. Browsers and proxies send some kilobytes; nginx takes 8 per line, 32 in all.
LONGEST_ADDRESS: Final = 16 * 1024
LARGEST_HEAD: Final = 64 * 1024


class GuardedProtocol(HttpToolsProtocol):
    """HTTP with heads of bounded size, whose refusals are problems, and whose keep-alive timer leaves a connection
    alone that has become a WebSocket.

    In uvicorn 0.54 a socket opened on a kept-alive connection, as proxies and some clients do, was closed after five
    seconds when the upgrade arrived before the earlier response was marked complete: the timer still ran. It also keeps
    a head however long it is, so that one connection could fill the memory.
    """

    # Whether a head is being read, and how much has come of it.
    _in_head = False
    _came = 0
    # Whether a request ended in the piece that came last.
    _has_ended = False
    _is_refused = False

    def timeout_keep_alive_handler(self) -> None:
        if self.transport.get_protocol() is self:
            super().timeout_keep_alive_handler()

    def data_received(self, data: bytes) -> None:
        if self._is_refused:
            return
        self._has_ended = False
        super().data_received(data)
        # A piece in which another request ended is not counted: how much of it is this head is not known.
        if self._in_head and not self._is_refused and not self._has_ended:
            self._came += len(data)
            self._check(self._came)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._in_head, self._came = True, 0

    def on_headers_complete(self) -> None:
        # What came all at once is refused here, before anybody acts on it.
        self._check(sum(len(name) + len(value) for name, value in self.headers))
        self._in_head = False
        if not self._is_refused:
            super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        if not self._is_refused:
            super().on_body(body)

    def on_message_complete(self) -> None:
        self._has_ended = True
        if not self._is_refused:
            super().on_message_complete()

    def _check(self, size: int) -> None:
        if len(self.url) > LONGEST_ADDRESS:
            self._refuse(414)
        elif size > LARGEST_HEAD:
            self._refuse(431)

    def send_400_response(self, msg: str) -> None:
        if not self._is_refused:
            self._refuse(400)

    def _refuse(self, status: int) -> None:
        """Answer and close."""
        self._is_refused = True
        answer = of_status(status)
        head = (
            f"HTTP/1.1 {status} {answer.reason_phrase}\r\ncontent-type: {answer['Content-Type']}\r\n"
            f"content-length: {len(answer.content)}\r\nconnection: close\r\n\r\n"
        )
        self.transport.write(head.encode() + answer.content)
        self.transport.close()
