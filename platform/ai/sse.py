"""Server-sent events from bytes, as they come off the wire (WHATWG HTML, section 9.2.6)."""

MAX_PENDING = 1 << 20
BOM = b"\xef\xbb\xbf"


class EventParser:
    """Feed it bytes split anywhere, also within a character or a CRLF; it gives the data of each whole event.

    Only `data` is kept: both providers repeat the event's name inside it. Bytes stay bytes, for the JSON reader.
    """

    __slots__ = ("_at_start", "_pending", "_skip_newline")

    def __init__(self) -> None:
        self._pending = b""
        self._skip_newline = False
        self._at_start = True

    def feed(self, received: bytes) -> list[bytes]:
        """The data of the events that `received` completes. Raises OverflowError for an event over 1 MiB."""
        if self._at_start:
            received = self._without_bom(received)
        if self._skip_newline and received:
            # The last piece ended in CR, which already ended its line: this LF is the other half of a CRLF.
            self._skip_newline = False
            if received.startswith(b"\n"):
                received = received[1:]
        if b"\r" in received:
            self._skip_newline = received.endswith(b"\r")
            received = received.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        pending = self._pending + received if self._pending else received
        if b"\n\n" not in pending:
            if len(pending) > MAX_PENDING:
                raise OverflowError(f"an event is longer than {MAX_PENDING} bytes")
            self._pending = pending
            return []
        *blocks, self._pending = pending.split(b"\n\n")
        return _payloads(blocks)

    def finish(self) -> list[bytes]:
        """At the end of the stream: the last event, where only its closing blank line is missing."""
        whole, newline, _ = self._pending.rpartition(b"\n")
        self._pending = b""
        return _payloads([whole]) if newline else []

    def _without_bom(self, received: bytes) -> bytes:
        pending = self._pending + received
        self._pending = b""
        if len(pending) < len(BOM) and BOM.startswith(pending):
            self._pending = pending
            return b""
        self._at_start = False
        return pending.removeprefix(BOM)


def _payloads(blocks: list[bytes]) -> list[bytes]:
    found = []
    for block in blocks:
        if block.startswith(b"data: ") and b"\n" not in block:
            found.append(block[6:])
            continue
        data = [_value(line) for line in block.split(b"\n") if line.startswith(b"data:") or line == b"data"]
        if data:
            found.append(b"\n".join(data))
    return found


def _value(line: bytes) -> bytes:
    return line.partition(b":")[2].removeprefix(b" ")
