"""After a load: is what visitors saw what is stored, was it paid for, and was the model asked exactly that?"""

from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final

import aiohttp
import orjson

from benchmarks.knowledge_base import Api
from benchmarks.table import Row, figure
from benchmarks.visitors import Exchange, Visitor, gather_some

EVENTS_PER_ANSWER: Final = 2
"""One for the question's embedding, one for the model."""


async def audit(
    api: Api, http: aiohttp.ClientSession, provider: str, visitors: Sequence[Visitor], asked: Sequence[str]
) -> Row:
    """How many conversations, payments and model requests are not as they should be; `asked` is every question sent.

    A conversation is right when its stored messages are the visitor's questions and answers, in order, and no more; an
    answer is paid for by one event each for embedding and model; the stub's log must hold every question exactly once.
    """
    talked = [visitor for visitor in visitors if visitor.exchanges]

    def reading(visitor: Visitor) -> Callable[[], Awaitable[list[Any]]]:
        return lambda: api.every(f"sessions/{visitor.session}/messages/")

    stored = await gather_some([reading(visitor) for visitor in talked], 4)
    wrong = sum(
        _as_stored(messages) != _as_seen(visitor.exchanges)
        for visitor, messages in zip(talked, stored, strict=True)
    )
    answers = [exchange.message_id for visitor in talked for exchange in visitor.exchanges]
    events = Counter(event["message"] for event in await api.every("cost-events/"))
    unpaid = sum(events[message_id] != EVENTS_PER_ANSWER for message_id in answers)
    requests = await _questions_to_model(http, provider)
    unasked = sum(requests[question] != 1 for question in asked)
    note = (
        f"of {len(answers)}: {wrong} conversations stored otherwise, {unpaid} answers not booked as {EVENTS_PER_ANSWER}"
        f" events, {unasked} questions not put to the model once"
    )
    return figure("chat: answers lost, mixed up or unpaid", wrong + unpaid + unasked, "", 0, note=note)


def _as_stored(newest_first: Sequence[dict[str, Any]]) -> list[tuple[int, str, str]]:
    return [(message["seq"], message["role"], message["content"]) for message in reversed(newest_first)]


def _as_seen(exchanges: Sequence[Exchange]) -> list[tuple[int, str, str]]:
    seen: list[tuple[int, str, str]] = []
    for exchange in exchanges:
        seen.append((len(seen) + 1, "user", exchange.question))
        seen.append((len(seen) + 1, "assistant", exchange.answer))
    return seen


async def _questions_to_model(http: aiohttp.ClientSession, provider: str) -> Counter[str]:
    async with http.get(f"{provider}/log") as response:
        log = orjson.loads(await response.read())
    bodies = [request["body"] for request in log]
    return Counter(body["messages"][-1]["content"] for body in bodies if "messages" in body)
