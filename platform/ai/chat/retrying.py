"""The one place where a call to a chat model is made again."""

import asyncio
import logging
import random
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ai.chat.seam import ChatEvent, ChatModel, ChatRequest, Completed
from kernel.errors import ProviderError

logger = logging.getLogger(__name__)

MAX_RETRIES = 2
BACKOFF_S = 0.25
LONGEST_WAIT_S = 5.0
# Failures of the connection or the gate, for which nothing was written and nothing is billed. A provider that let us
# wait for half a minute, or wrote nonsense, has worked: asking again is the visitor's decision.
RETRIED = frozenset({"rate_limited", "unavailable", "cut"})


class Retrying:
    """`inner`, tried up to three times, as long as nothing has been shown to anybody.

    After the first delta a failure is passed on: a second answer would not continue the first. It waits twice as long
    each time (0.25 s, 0.5 s, up to a quarter more by chance), or as long as the provider asks; where that is more than
    5 s it gives up at once and leaves `retry_after` to the caller. `Completed.retries` counts.
    """

    def __init__(self, inner: ChatModel, *, backoff_s: float = BACKOFF_S) -> None:
        self._inner = inner
        self._backoff_s = backoff_s

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def model(self) -> str:
        return self._inner.model

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel."""
        retries = 0
        started = False
        while True:
            try:
                async with aclosing(self._inner.stream(request)) as events:
                    async for event in events:
                        started = True
                        yield replace(event, retries=retries) if isinstance(event, Completed) else event
                return
            except ProviderError as error:
                if started or retries == MAX_RETRIES or not _worth_it(error):
                    raise
                wait = max(self._backoff_s * 2**retries * random.uniform(1, 1.25), error.retry_after or 0)  # noqa: S311  (jitter is no secret)
                retries += 1
                logger.warning(
                    "%s:%s %s, retry %d in %.2f s", self.provider, self.model, error.code, retries, wait
                )
            await asyncio.sleep(wait)


def _worth_it(error: ProviderError) -> bool:
    return error.retryable and error.code in RETRIED and (error.retry_after or 0) <= LONGEST_WAIT_S
