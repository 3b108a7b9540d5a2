"""kill -9 in the middle of conversations: what was acknowledged is there, once, answered, in order and paid for.

Visitors talk all the time to a slow model while the web process, the worker, Redis and PostgreSQL are killed in turn; a
program goes on teaching documents. Each visitor waits for each answer, coming back as often as it takes.
"""

import asyncio
import os
import signal
import time
import uuid
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Final

import aiohttp

from benchmarks.installation import Installation
from benchmarks.knowledge_base import Api, Questions
from benchmarks.returning import come_back
from benchmarks.table import Row, figure
from benchmarks.visitors import Broken, Website, gather_some

VISITORS: Final = 12
PAUSE_S: Final = 16.0
"""Between kills: the supervisor gives up on a program that dies five times within a minute."""
RECOVERED_WITHIN_S: Final = 120.0
READY_WITHIN_S: Final = 180.0
SLOW_MODEL: Final = f"stub?ttft=0.05&itl=0.05&text={'+'.join(['w'] * 39)}+[1]"
VICTIMS: Final = ("web", "worker", "redis", "postgres", "web")


@dataclass(slots=True)
class Talker:
    """A visitor who asks one question after the other and does not give up."""

    token: str
    session: str | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


async def kill_and_check(installation: Installation, website: Website, api: Api, rounds: int) -> list[Row]:
    """So many rounds of killing every victim once, then the books."""
    stop = asyncio.Event()
    tokens = [(await website.boot())["visitor_token"] for _ in range(VISITORS)]
    talkers = [Talker(token) for token in tokens]
    taught: list[str] = []
    work = [asyncio.create_task(_talk(website, talker, stop)) for talker in talkers]
    work.append(asyncio.create_task(_teach(api, taught, stop)))
    killed = 0
    for _ in range(rounds):
        for victim in VICTIMS:
            await asyncio.sleep(PAUSE_S)
            os.kill(installation.process(victim), signal.SIGKILL)
            killed += 1
    await asyncio.sleep(PAUSE_S)
    stop.set()
    await asyncio.gather(*work)
    await _until_ready(installation)
    return await _books(api, talkers, taught, killed)


async def _talk(website: Website, talker: Talker, stop: asyncio.Event) -> None:
    questions = Questions()
    while not stop.is_set():
        client_id, question = str(uuid.uuid4()), questions()
        try:
            known = await come_back(website, talker.token, client_id, question)
        except (Broken, TimeoutError) as problem:
            talker.problems.append(f"{type(problem).__name__}: {problem}")
            continue
        talker.session = known.messages[1]["session"]
        talker.asked.append((client_id, question))


async def _teach(api: Api, taught: list[str], stop: asyncio.Event) -> None:
    """Teach a document every second; only what was acknowledged counts."""
    while not stop.is_set():
        body = {"title": f"Note {len(taught)}", "content": f"Note {uuid.uuid4()} says that all is well. " * 5}
        with suppress(aiohttp.ClientError, RuntimeError, ConnectionError):  # it was refused and told so
            taught.append((await api.post("documents/", body))["id"])
        await asyncio.sleep(1.0)


async def _until_ready(installation: Installation) -> None:
    deadline = time.monotonic() + READY_WITHIN_S
    while not await asyncio.to_thread(installation.is_ready):
        if time.monotonic() > deadline:
            raise RuntimeError(f"it did not recover:\n{installation.log()}")
        await asyncio.sleep(0.5)


async def _books(api: Api, talkers: Sequence[Talker], taught: Sequence[str], killed: int) -> list[Row]:
    asked = sum(len(talker.asked) for talker in talkers)
    gave_up = [problem for talker in talkers for problem in talker.problems]

    def checking(talker: Talker) -> Callable[[], Awaitable[int]]:
        return lambda: _wrong_in_session(api, talker)

    wrong = sum(await gather_some([checking(talker) for talker in talkers if talker.session], 2))
    unready = await _unready(api, taught)
    note = gave_up[0] if gave_up else ""
    return [
        figure(
            f"{killed} kills: questions not answered within a minute",
            len(gave_up),
            f"of {asked}",
            0,
            note=note,
        ),
        figure(f"{killed} kills: acknowledged questions lost, doubled or unpaid", wrong, f"of {asked}", 0),
        figure(f"{killed} kills: acknowledged documents never ready", unready, f"of {len(taught)}", 0),
    ]


async def _wrong_in_session(api: Api, talker: Talker) -> int:
    stored = list(reversed(await api.every(f"sessions/{talker.session}/messages/")))
    events = await api.every("cost-events/", session=talker.session)
    paid = {event["message"] for event in events}
    answers = [message for message in stored if message["role"] == "assistant"]
    wrong = sum(message["id"] not in paid for message in answers)
    wrong += [message["seq"] for message in stored] != list(range(1, len(stored) + 1))
    questions = [
        (message["client_id"], message["content"]) for message in stored if message["role"] == "user"
    ]
    wrong += sum(questions.count(question) != 1 for question in talker.asked)
    return wrong


async def _unready(api: Api, taught: Sequence[str]) -> int:
    deadline = time.monotonic() + RECOVERED_WITHIN_S
    waiting = set(taught)
    while waiting and time.monotonic() < deadline:
        for document_id in tuple(waiting):
            if (await api.get(f"documents/{document_id}/"))["status"] == "ready":
                waiting.discard(document_id)
        await asyncio.sleep(1.0)
    return len(waiting)
