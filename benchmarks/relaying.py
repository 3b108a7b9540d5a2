"""The bare relay as the reference side of a benchmark: its process and its visitors."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import aiohttp

from benchmarks.installation import ROOT, free_port
from benchmarks.processes import cpu_seconds, pss_bytes
from benchmarks.stub_model import MODEL
from benchmarks.visitors import Broken, Exchange, gather_some, next_frame, send


@dataclass(frozen=True, slots=True)
class RelayProcess:
    """A running relay."""

    url: str
    pid: int

    def pss(self) -> int:
        """Its memory in bytes."""
        return pss_bytes(self.pid)


@contextmanager
def relaying(provider: str) -> Iterator[RelayProcess]:
    """A relay before the stub at `provider`."""
    port = free_port()
    command = [
        sys.executable, "-m", "benchmarks.relay", "--port", str(port), "--provider", f"{provider}/v1", "--model", MODEL,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the relay did not start")
        yield RelayProcess(f"ws://127.0.0.1:{port}/", process.pid)
    finally:
        process.terminate()
        process.wait(10)


@dataclass(slots=True)
class RelayVisitor:
    """A visitor of the relay."""

    socket: aiohttp.ClientWebSocketResponse

    async def ask(self, question: str) -> Exchange:
        """Ask and wait for the whole answer. Raises Broken where part of it is missing."""
        loop = asyncio.get_running_loop()
        asked_at, first, pieces = loop.time(), 0.0, []
        await send(self.socket, {"type": "message", "content": question})
        while (frame := await next_frame(self.socket))["type"] == "delta":
            first = first or loop.time()
            pieces.append(frame["text"])
        text = "".join(pieces)
        if not text or frame["message"]["content"] != text:
            raise Broken("the relay lost part of an answer")
        return Exchange(question, text, "", first - asked_at, loop.time() - asked_at)


class RelaySide:
    """The relay under load."""

    def __init__(self, http: aiohttp.ClientSession, relay: RelayProcess) -> None:
        self._http, self._relay = http, relay

    async def crowd(self, count: int) -> Sequence[RelayVisitor]:
        """So many visitors, connected."""
        return [RelayVisitor(await self._http.ws_connect(self._relay.url)) for _ in range(count)]

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far."""
        return {"all": cpu_seconds(self._relay.pid)}

    async def leave(self, visitors: Sequence[RelayVisitor]) -> None:
        """Disconnect them."""
        await gather_some([visitor.socket.close for visitor in visitors], 64)
