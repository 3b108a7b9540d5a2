"""Chat on the full path, against a bare relay without a database, both before the same stub model.

The full path is socket, committed question, retrieval, budget hold, stream, and one transaction for message, cost
events and the settled hold. Afterwards every conversation is read back through the REST API and compared with what its
visitor saw, with the ledger and with the model's own log (`benchmarks.audit`).
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

import uvloop

from benchmarks.audit import audit
from benchmarks.installation import Installation, Tenant
from benchmarks.knowledge_base import Api, Questions, teach
from benchmarks.relaying import RelayProcess, RelaySide, relaying
from benchmarks.stub_model import installed_with_stub
from benchmarks.table import Row, figure, ratio
from benchmarks.visitors import Load, Visitor, Website, client_session, drive, gather_some
from tests.ai import stub_provider

TITLE: Final = "chat, full path, against a bare relay"
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


class OurSide:
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


def measure(full: bool) -> list[Row]:
    """The rows of goals.md's chat line."""
    with (
        stub_provider.running() as provider,
        relaying(provider) as relay,
        installed_with_stub(provider) as (installation, tenant),
    ):
        return uvloop.run(_compare(installation, tenant, provider, relay, full))


async def _compare(
    installation: Installation, tenant: Tenant, provider: str, relay: RelayProcess, full: bool
) -> list[Row]:
    seconds, stampedes = (15.0, 4) if full else (5.0, 2)
    async with client_session() as http:
        api = Api(http, installation.url, tenant.api_key)
        await teach(api)
        ours = OurSide(installation, Website(http, installation.url, tenant.widget_key, tenant.origin))
        reference = RelaySide(http, relay)
        questions = Questions()
        for side in (reference, ours):  # what is loaded and cached on first use is no part of any answer
            await _under_load(side, questions if side is ours else Questions(), 4, seconds=1.5)
        rows: list[Row] = []
        for count in CROWDS:
            theirs = await _under_load(reference, Questions(), count, seconds=seconds)
            rows += _rows(count, await _under_load(ours, questions, count, seconds=seconds), theirs)
        rows += _stampede(await _under_load(ours, questions, STAMPEDE, each=stampedes), stampedes)
        # The stub's log knows the relay's questions too; only ours are looked for.
        rows.append(await audit(api, http, provider, ours.visitors, questions.asked))
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
    def bar(value: float) -> float | None:
        return value if count == JUDGED else None

    programs = ", ".join(f"{name} {own.cpu_ms(name):.1f}" for name in ("web", "postgres", "worker", "redis"))
    first, their_first = own.load.first_ms(), theirs.load.first_ms()
    late, their_late = own.load.first_ms(0.95), theirs.load.first_ms(0.95)
    failed = f"{len(own.load.failures)} FAILED: {own.load.failures[0]}" if own.load.failures else ""
    answers = ratio(
        f"chat c={count}: answers",
        own.load.rate,
        theirs.load.rate,
        "/s",
        bar(0.7),
        direction="at least",
        note=failed,
    )
    if not own.load.exchanges:
        return [answers]
    return [
        answers,
        figure(
            f"chat c={count}: first token over the relay's", first - their_first, "ms", bar(50),
            note=f"{first:.0f} and {their_first:.0f}, p95 {late:.0f} and {their_late:.0f}",
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
