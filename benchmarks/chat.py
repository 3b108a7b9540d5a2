"""Chat on the full path, against a bare relay without a database, both before the same stub model.

The full path is socket, committed question, retrieval, budget hold, stream, and one transaction for message, cost events
and the settled hold. The model takes 50 ms to its first token and 5 ms to each of 40. Afterwards every conversation is
read back through the REST API and compared with what its visitor saw, and the model's own log with what was asked.
"""

import asyncio
import subprocess
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final, Protocol

import aiohttp
import orjson
import uvloop

from benchmarks.installation import ROOT, Installation, Tenant, free_port, installed
from benchmarks.knowledge_base import Api, Questions, teach
from benchmarks.processes import cpu_seconds
from benchmarks.table import Row, figure, ratio
from benchmarks.visitors import (
    Broken,
    Exchange,
    Load,
    Visitor,
    Website,
    client_session,
    drive,
    gather_some,
    next_frame,
    send,
)
from tests.ai import stub_provider

TITLE: Final = "chat, full path, against a bare relay"
WORDS: Final = 40
# Forty words of which the last names a source, so that the answer is cited like a real one.
MODEL: Final = f"stub?ttft=0.05&itl=0.005&text={'+'.join(['w'] * (WORDS - 1))}+[1]"
EMBEDDING: Final = "stub-embedding"
CROWDS: Final = (1, 8, 32, 64)
JUDGED: Final = 32
STAMPEDE: Final = 256
SETTLE_S: Final = 1.5
"""After the last answer, before CPU time is read: the fold of its cost events in the worker belongs to it."""


@dataclass(frozen=True, slots=True)
class Measured:
    """One crowd's load and the CPU seconds it took, by program."""

    load: Load
    cpu: dict[str, float]

    def cpu_ms(self, program: str = "all") -> float:
        """CPU milliseconds per answer."""
        return self.cpu[program] * 1000 / max(1, len(self.load.exchanges))


class Side(Protocol):
    """Ours or the reference."""

    async def crowd(self, count: int) -> Sequence[Any]: ...
    def cpu(self) -> dict[str, float]: ...
    async def leave(self, visitors: Sequence[Any]) -> None: ...


class Ours:
    """Frontdesk with one tenant; remembers all its visitors, to compare notes with the database."""

    def __init__(self, installation: Installation, website: Website) -> None:
        self._installation, self._website = installation, website
        self.visitors: list[Visitor] = []

    async def crowd(self, count: int) -> Sequence[Visitor]:
        arrived = await self._website.crowd(count)
        self.visitors += arrived
        return arrived

    def cpu(self) -> dict[str, float]:
        return self._installation.cpu()

    async def leave(self, visitors: Sequence[Visitor]) -> None:
        await gather_some([visitor.socket.close for visitor in visitors], 64)


@dataclass(slots=True)
class RelayVisitor:
    """A visitor of the relay."""

    socket: aiohttp.ClientWebSocketResponse

    async def ask(self, question: str) -> Exchange:
        """Ask and wait for the whole answer."""
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


class Reference:
    """The relay in a process of its own."""

    def __init__(self, http: aiohttp.ClientSession, url: str, process_id: int) -> None:
        self._http, self._url, self._process_id = http, url, process_id

    async def crowd(self, count: int) -> Sequence[RelayVisitor]:
        return [RelayVisitor(await self._http.ws_connect(self._url)) for _ in range(count)]

    def cpu(self) -> dict[str, float]:
        return {"all": cpu_seconds(self._process_id)}

    async def leave(self, visitors: Sequence[RelayVisitor]) -> None:
        await gather_some([visitor.socket.close for visitor in visitors], 64)


def measure(full: bool) -> list[Row]:
    """The rows of goals.md's chat line."""
    with stub_provider.running() as provider, relaying(f"{provider}/v1") as (relay_url, relay_pid):
        with chatting_installation(provider) as (installation, tenant):
            work = _compare(installation, tenant, provider, relay_url, relay_pid, full)
            return uvloop.run(work)


@contextmanager
def chatting_installation(provider: str, model: str = MODEL) -> Iterator[tuple[Installation, Tenant]]:
    """A copy whose models are the stub at `provider`, with one tenant that has to pay for every answer."""
    settings = {
        "LLM_MODEL": f"openai:{model}",
        "EMBEDDING_MODEL": f"openai:{EMBEDDING}",
        "OPENAI_BASE_URL": f"{provider}/v1",
        "OPENAI_API_KEY": "benchmarks",
    }
    with installed(**settings) as installation:
        yield (
            installation,
            installation.tenant("chat", models=[model, "stub", EMBEDDING], budget_usd="1000000"),
        )


@contextmanager
def relaying(provider: str) -> Iterator[tuple[str, int]]:
    """The relay before `provider`: its URL and its pid."""
    port = free_port()
    command = [
        sys.executable, "-m", "benchmarks.relay", "--port", str(port), "--provider", provider, "--model", MODEL,
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        if not process.stdout.readline():
            raise RuntimeError("the relay did not start")
        yield f"ws://127.0.0.1:{port}/", process.pid
    finally:
        process.terminate()
        process.wait(10)


async def _compare(
    installation: Installation, tenant: Tenant, provider: str, relay_url: str, relay_pid: int, full: bool
) -> list[Row]:
    async with client_session() as http:
        api = Api(http, installation.url, tenant.api_key)
        await teach(api)
        ours = Ours(installation, Website(http, installation.url, tenant.widget_key, tenant.origin))
        reference = Reference(http, relay_url, relay_pid)
        questions = Questions()
        seconds = 15.0 if full else 5.0
        for side in (reference, ours):  # what is loaded and cached on first use is no part of any answer
            await _under_load(side, questions, 4, seconds=1.5)
        rows: list[Row] = []
        for count in CROWDS:
            theirs = await _under_load(reference, Questions(), count, seconds=seconds)
            own = await _under_load(ours, questions, count, seconds=seconds)
            rows += _rows(count, own, theirs)
        stampede = await _under_load(ours, questions, STAMPEDE, each=4 if full else 2)
        rows += _stampede(stampede, 4 if full else 2)
        rows.append(await _audit(api, http, ours, questions, provider))
        return rows


async def _under_load(
    side: Side, question: Callable[[], str], count: int, *, seconds: float = 0.0, each: int = 1
) -> Measured:
    visitors = await side.crowd(count)
    before = side.cpu()
    load = await drive(visitors, question, seconds=seconds, each=each)
    await asyncio.sleep(SETTLE_S)
    after = side.cpu()
    await side.leave(visitors)
    return Measured(load, {program: after[program] - before[program] for program in before})


def _rows(count: int, own: Measured, theirs: Measured) -> list[Row]:
    bar = (lambda value: value) if count == JUDGED else (lambda value: None)
    programs = ", ".join(f"{name} {own.cpu_ms(name):.1f}" for name in ("web", "postgres", "worker", "redis"))
    overhead = own.load.first_ms() - theirs.load.first_ms()
    failed = f"FAILED {len(own.load.failures)}: {own.load.failures[0]}" if own.load.failures else ""
    return [
        ratio(f"chat c={count}: answers", own.load.rate, theirs.load.rate, "/s", bar(0.7), direction="at least", note=failed),
        figure(
            f"chat c={count}: first token over the relay's", overhead, "ms", bar(50),
            note=f"p50 {own.load.first_ms():.0f} and {theirs.load.first_ms():.0f}; p95 {own.load.first_ms(0.95):.0f} and {theirs.load.first_ms(0.95):.0f}",
        ),
        figure(
            f"chat c={count}: CPU per answer", own.cpu_ms(), "ms", bar(15), reference=theirs.cpu_ms(), note=programs
        ),
    ]  # fmt: skip


def _stampede(measured: Measured, each: int) -> list[Row]:
    load = measured.load
    asked = STAMPEDE * each
    return [
        figure(f"chat c={STAMPEDE}: slowest answer", load.slowest_s(), "s", 10, note=f"{load.rate:.0f} answers/s"),
        figure(
            f"chat c={STAMPEDE}: questions without an answer", asked - len(load.exchanges), f"of {asked}", 0,
            note=load.failures[0] if load.failures else "",
        ),
    ]  # fmt: skip


async def _audit(
    api: Api, http: aiohttp.ClientSession, ours: Ours, questions: Questions, provider: str
) -> Row:
    """Compare what visitors saw with what is stored, what was paid for and what the model was asked."""
    talked = [visitor for visitor in ours.visitors if visitor.exchanges]

    def reading(visitor: Visitor) -> Callable[[], Awaitable[list[Any]]]:
        return lambda: api.every(f"sessions/{visitor.session}/messages/")

    stored = await gather_some([reading(visitor) for visitor in talked], 4)
    wrong = sum(_stored_wrongly(visitor, messages) for visitor, messages in zip(talked, stored, strict=True))
    answered = sum(len(visitor.exchanges) for visitor in talked)
    events = Counter(event["message"] for event in await api.every("cost-events/"))
    unpaid = sum(events[exchange.message_id] != 2 for visitor in talked for exchange in visitor.exchanges)
    async with http.get(f"{provider}/log") as response:
        log = orjson.loads(await response.read())
    asked = Counter(
        request["body"]["messages"][-1]["content"] for request in log if "messages" in request["body"]
    )
    unasked = sum(asked[question] != 1 for question in questions.asked)
    note = f"{answered} answers; {wrong} conversations not as seen, {unpaid} answers not paid for, {unasked} questions not asked once"
    return figure("chat: answers lost, mixed up or unpaid", wrong + unpaid + unasked, "", 0, note=note)


def _stored_wrongly(visitor: Visitor, messages: Sequence[dict[str, Any]]) -> bool:
    said = [(message["seq"], message["role"], message["content"]) for message in reversed(messages)]
    seen: list[tuple[int, str, str]] = []
    for exchange in visitor.exchanges:
        seen.append((len(seen) + 1, "user", exchange.question))
        seen.append((len(seen) + 1, "assistant", exchange.answer))
    return said != seen
