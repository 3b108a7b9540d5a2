"""Many visitors who say nothing, and many who come back at once.

Memory is the proportional set size of our web process per idle socket, against the bare relay's. In the storm every
visitor has asked something and lost the connection in the middle of the answer; all return at the same moment.
"""

import asyncio
import gc
import resource
from collections.abc import Callable, Sequence
from typing import Any, Final

import aiohttp
import uvloop

from benchmarks.installation import Installation, Tenant
from benchmarks.knowledge_base import Api, Questions, teach
from benchmarks.relaying import RelayProcess, RelaySide, relaying
from benchmarks.returning import ask_and_leave, come_back
from benchmarks.stub_model import installed_with_stub
from benchmarks.table import Row, figure
from benchmarks.visitors import Visitor, Website, client_session, gather_some
from tests.ai import stub_provider

TITLE: Final = "idle connections and a storm of reconnects"
SETTLE_S: Final = 2.0
LEAVE_AFTER_S: Final = 0.15
"""Half of an answer."""
AT_ONCE: Final = 64
DESCRIPTORS: Final = 16_384


def measure(full: bool) -> list[Row]:
    """The rows of goals.md's idle visitors line: 5,000 sockets and 2,000 returns at full size, else 1,000 and 200."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(DESCRIPTORS, hard), hard))
    with (
        stub_provider.running() as provider,
        relaying(provider) as relay,
        installed_with_stub(provider) as (installation, tenant),
    ):
        return uvloop.run(_measure(installation, tenant, relay, full))


async def _measure(installation: Installation, tenant: Tenant, relay: RelayProcess, full: bool) -> list[Row]:
    idle, returning = (5_000, 2_000) if full else (1_000, 200)
    async with client_session() as http:
        api = Api(http, installation.url, tenant.api_key)
        await teach(api)
        website = Website(http, installation.url, tenant.widget_key, tenant.origin)
        await _leave(await website.crowd(50))  # pools and threads are there before memory is counted
        ours = await _per_socket(lambda: installation.pss("web"), website.crowd, idle)
        theirs = await _per_socket(relay.pss, RelaySide(http, relay).crowd, idle)
        rows = [
            figure(
                f"memory per idle socket, {idle:,} of them", ours / 1024, "KB", 32, reference=theirs / 1024
            )
        ]
        return rows + await _storm(api, website, returning)


async def _per_socket(pss: Callable[[], int], crowd: Callable[[int], Any], count: int) -> float:
    """Bytes of memory that each of `count` sockets adds."""
    before = pss()
    visitors = await crowd(count)
    gc.collect()
    await asyncio.sleep(SETTLE_S)
    after = pss()
    await _leave(visitors)
    return (after - before) / count


async def _leave(visitors: Sequence[Any]) -> None:
    await gather_some([visitor.socket.close for visitor in visitors], AT_ONCE)


async def _storm(api: Api, website: Website, count: int) -> list[Row]:
    """Everybody asks, is cut off in the middle of the answer, and comes back at once."""
    questions = Questions()
    visitors: list[Visitor] = await website.crowd(count)
    asked = [questions() for _ in visitors]
    ids = await asyncio.gather(
        *(
            ask_and_leave(visitor, question, LEAVE_AFTER_S)
            for visitor, question in zip(visitors, asked, strict=True)
        )
    )
    loop = asyncio.get_running_loop()
    began = loop.time()
    returned = await asyncio.gather(
        *(
            come_back(website, visitor.token, client_id, question)
            for visitor, client_id, question in zip(visitors, ids, asked, strict=True)
        ),
        return_exceptions=True,
    )
    seconds = loop.time() - began
    problems = [outcome for outcome in returned if isinstance(outcome, BaseException)]
    wrong = await _stored_wrongly(api, returned, asked)
    note = f"{problems[0]!r}" if problems else ""
    return [
        figure(f"{count:,} returns at once: not answered, or not once each", len(problems), "", 0, note=note),
        figure(f"{count:,} returns at once: conversations stored otherwise", wrong, "", 0),
        figure(f"{count:,} returns at once: until the last is answered", seconds, "s"),
    ]


async def _stored_wrongly(api: Api, returned: Sequence[Any], asked: Sequence[str]) -> int:
    """How many conversations are not exactly the question and its answer."""
    sessions = {
        outcome.messages[1]["session"]: question
        for outcome, question in zip(returned, asked, strict=True)
        if not isinstance(outcome, BaseException)
    }

    async def is_wrong(session: str, question: str) -> bool:
        try:
            stored = await api.every(f"sessions/{session}/messages/")
        except aiohttp.ClientError:
            return True
        return [message["role"] for message in stored] != ["assistant", "user"] or stored[1][
            "content"
        ] != question

    def looking(session: str, question: str) -> Callable[[], Any]:
        return lambda: is_wrong(session, question)

    return sum(await gather_some([looking(session, question) for session, question in sessions.items()], 8))
