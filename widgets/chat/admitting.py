"""Letting a visitor's message in, and its answer's price: rates and spend caps, in one round trip to Redis.

Every message is counted for its visitor, its address, its widget and its tenant, across processes; one that comes too
soon is refused and not kept. One that a spend cap has no room for is kept, and people can answer it; the AI does not.

    admit(payer)          before the message is committed: counts it, and holds what an answer here was last held for
    allowance.cover(…)    before a model is asked: nothing more to do where that was enough, else one more round trip
    allowance.settle(…)   once the answer is paid for; nobody waits for it

Where Redis is away, rates and caps hold within each process: a visitor of a support chat should still be answered.
"""

import asyncio
import logging
import time
import uuid
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from functools import partial
from typing import Any, Final
from weakref import WeakKeyDictionary

import redis
import redis.asyncio
from django.conf import settings
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from kernel import limiting, measuring
from kernel.limiting import Limit, Verdict, counted_as
from tenants.spend_caps import CapName
from widgets.chat import capping, guarding
from widgets.chat.capping import OWN, Book, Payer
from widgets.chat.limits import MESSAGES_AT_ONCE, MESSAGES_PER_S, TooSoon
from widgets.chat.streams import Deed, bus

logger = logging.getLogger(__name__)

PER_VISITOR: Final = Limit("visitor-messages", MESSAGES_PER_S, MESSAGES_AT_ONCE)
# An office behind one address; a busy site; a tenant with several. One answer costs some 15 ms of a core.
PER_ADDRESS: Final = Limit("address-messages", 2.0, 60)
PER_WIDGET: Final = Limit("widget-messages", 30.0, 600)
PER_TENANT: Final = Limit("tenant-messages", 60.0, 1200)

SCRIPT: Final = limiting.LUA + capping.ADMIT
WIDGETS_REMEMBERED: Final = 10_000


class Allowance:
    """What one answer may cost those it is counted for; it holds nothing until it is admitted or covered."""

    def __init__(self, payer: Payer) -> None:
        self.payer = payer
        self.reached: CapName | None = None
        self._purpose = uuid.uuid4().hex
        self._held = 0
        self._books: Sequence[Book] = ()

    async def cover(self, dollars: Decimal | None, tokens: int) -> bool:
        """Whether an answer that costs at most so much may be made; `dollars` None where the price is unknown. Holds it
        until `settle`. Where not, `reached` says which cap has no room."""
        amount = capping.counted(dollars, tokens)
        _last_held.note(self.payer.widget_id, amount)
        if self._books and amount <= self._held:
            return True
        await self._hold(amount)
        return self.reached is None

    def settle(self, dollars: Decimal | None, tokens: int) -> None:
        """Give back what is held and count what was spent, soon. Call it once, on the event loop."""
        cost = capping.counted(dollars, tokens)
        keys = [book.key for book in self._books or self.payer.books()]
        if self.payer.session_id is not None:
            keys = list(dict.fromkeys([*keys, capping.session_key(self.payer)]))
        if not (self._books or cost):
            return
        # Our own books last: what we know to be spent must not count beside what Redis still holds for it.
        ours = partial(OWN.settle, self._purpose, cost, keys)
        bus().run(Deed(capping.SETTLE, keys, [self._purpose, cost, capping.KEPT_S], ours))

    def release(self) -> None:
        """Give back what is held: there will be no answer."""
        self.settle(Decimal(0), 0)

    def said_in(self, session_id: uuid.UUID) -> None:
        """The message was said in this conversation, which may have begun with it: the account of the one before does
        not count."""
        if self.payer.session_id != session_id:
            self.payer = replace(self.payer, session_id=session_id, session_cost=0)
            if self.reached == "session":
                self.reached = None

    def next(self) -> "Allowance":
        """One for the answer that follows in the same conversation."""
        return Allowance(self.payer)

    async def _hold(self, amount: int, limits: Sequence[tuple[Limit, str]] = ()) -> Verdict | None:
        books = self.payer.books()
        reached, verdict = await _teller().ask(self._purpose, amount, books, limits)
        if reached < 0:
            return verdict
        self.reached = books[reached - 1].name if reached else None
        if self.reached is None:
            self._books, self._held = books, amount
        else:
            measuring.CAPS_REACHED.labels(self.reached).inc()
        return verdict


async def admit(payer: Payer, own_id: str) -> Allowance:
    """Count a visitor's message and hold what its answer may cost. Where a cap has no room, the allowance says so in
    `reached`. Raises TooSoon, naming the message by `own_id`."""
    limits = [
        (PER_VISITOR, str(payer.visitor_id)),
        (PER_ADDRESS, counted_as(payer.address)),
        (PER_WIDGET, str(payer.widget_id)),
        (PER_TENANT, str(payer.tenant.id)),
    ]
    allowance = Allowance(payer)
    amount = _last_held.of(payer.widget_id)
    verdict = await allowance._hold(amount, limits if settings.RATE_LIMITS else ())
    if verdict is not None and not verdict.allowed:
        measuring.MESSAGES_REFUSED.labels(verdict.limit.name.removesuffix("-messages")).inc()
        guarding.disturbed(payer.tenant, payer.widget_id)
        raise TooSoon(verdict, own_id)
    return allowance


class _LastHeld:
    """What the last answers of each widget were held for: the guess for its next one. It sinks slowly, so that answers
    of changing size seldom need a second round trip."""

    def __init__(self) -> None:
        self._amounts: OrderedDict[uuid.UUID, int] = OrderedDict()

    def of(self, widget_id: uuid.UUID) -> int:
        return self._amounts.get(widget_id, 0)

    def note(self, widget_id: uuid.UUID, amount: int) -> None:
        before = self._amounts.pop(widget_id, 0)
        self._amounts[widget_id] = max(amount, before - before // 50)
        if len(self._amounts) > WIDGETS_REMEMBERED:
            self._amounts.popitem(last=False)

    def clear(self) -> None:
        self._amounts.clear()


_last_held = _LastHeld()


@dataclass(frozen=True, slots=True)
class _Question:
    keys: list[str]
    values: list[Any]
    answer: "asyncio.Future[list[bytes]]"


class Teller:
    """One event loop's connection to the books. What is asked while an answer is on its way is asked together, in one
    pipeline: a command in it costs a tenth of one sent alone."""

    def __init__(self) -> None:
        self._client = redis.asyncio.Redis.from_url(
            settings.REDIS_URL,
            socket_timeout=limiting.TIMEOUT_S,
            socket_connect_timeout=limiting.TIMEOUT_S,
            retry=Retry(NoBackoff(), 0),
        )
        self._waiting: list[_Question] = []
        self._asking: asyncio.Task[None] | None = None
        self._sha = ""
        self._left_alone_until = 0.0

    async def ask(
        self, purpose: str, amount: int, books: Sequence[Book], limits: Sequence[tuple[Limit, str]]
    ) -> tuple[int, Verdict | None]:
        """The number of the book without room, 0, or -1 where a limit refused; and how the limits stand."""
        kinds, keys = [limit for limit, _ in limits], limiting.keys_of(limits)
        told = await self._told(keys, kinds, purpose, amount, books)
        if told is not None:
            reached, due = int(told[0]), [float(one) for one in told[1:]]
        else:
            refused, due = limiting.count_here(keys, kinds)
            reached = -1 if refused else OWN.admit(purpose, amount, books)
        return reached, limiting.judge(kinds, due, reached < 0) if kinds else None

    async def _told(
        self, keys: list[str], kinds: Sequence[Limit], purpose: str, amount: int, books: Sequence[Book]
    ) -> list[bytes] | None:
        """What Redis says; None where it does not answer."""
        if time.monotonic() < self._left_alone_until:
            return None
        values = [*limiting.arguments(kinds), *capping.arguments(purpose, amount, books), len(kinds)]
        question = _Question(
            [*keys, *(book.key for book in books)], values, asyncio.get_running_loop().create_future()
        )
        self._waiting.append(question)
        if self._asking is None:
            self._asking = asyncio.create_task(self._ask())
        try:
            return await question.answer
        except (redis.RedisError, OSError) as error:
            if time.monotonic() >= self._left_alone_until:
                self._left_alone_until = time.monotonic() + limiting.LEFT_ALONE_S
                logger.warning(
                    "rates and spend caps hold per process, because Redis does not answer: %s", error
                )
            return None

    async def _ask(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                try:
                    answers = await self._answers(batch)
                except Exception as error:
                    answers = [error] * len(batch)
                for question, answer in zip(batch, answers, strict=True):
                    if question.answer.done():
                        continue  # whoever asked has gone
                    if isinstance(answer, Exception):
                        question.answer.set_exception(answer)
                    else:
                        question.answer.set_result(answer)
        finally:
            self._asking = None

    async def _answers(self, batch: Sequence[_Question]) -> list[Any]:
        answers = await self._run(batch) if self._sha else [redis.exceptions.NoScriptError()]
        if any(isinstance(answer, redis.exceptions.NoScriptError) for answer in answers):
            # A Redis that was restarted has forgotten the script, and so all of them failed.
            self._sha = await self._client.script_load(SCRIPT)
            answers = await self._run(batch)
        return answers

    async def _run(self, batch: Sequence[_Question]) -> list[Any]:
        pipeline = self._client.pipeline(transaction=False)
        for question in batch:
            pipeline.evalsha(self._sha, len(question.keys), *question.keys, *question.values)
        answers: list[Any] = await pipeline.execute(raise_on_error=False)
        return answers


_tellers: WeakKeyDictionary[asyncio.AbstractEventLoop, Teller] = WeakKeyDictionary()


def _teller() -> Teller:
    """The running loop's Teller."""
    loop = asyncio.get_running_loop()
    if loop not in _tellers:
        _tellers[loop] = Teller()
    return _tellers[loop]


def forget() -> None:
    """Forget what this process knows, for tests."""
    OWN.clear()
    _last_held.clear()
    _tellers.clear()
