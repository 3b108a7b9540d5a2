"""The one place where a call to a chat model is made again."""

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace

from ai.chat.seam import ChatEvent, ChatModel, ChatRequest, Completed
from ai.failures import Attempt, attempts_of, with_attempts
from ai.patience import PATIENT, Patience
from kernel.errors import ProviderError

logger = logging.getLogger(__name__)


class Retrying:
    """`inner`, tried again as `patience` has it, as long as nothing has been shown to anybody.

    After the first delta a failure is passed on: a second answer would not continue the first. `Completed.retries`
    counts, and what failed calls are to be paid for is kept.
    """

    def __init__(self, inner: ChatModel, patience: Patience = PATIENT) -> None:
        self._inner = inner
        self._patience = patience

    @property
    def provider(self) -> str:
        return self._inner.provider

    @property
    def model(self) -> str:
        return self._inner.model

    @property
    def own_key(self) -> bool:
        return self._inner.own_key

    async def stream(self, request: ChatRequest) -> AsyncGenerator[ChatEvent, None]:
        """See ChatModel."""
        retries = 0
        started = False
        paid: tuple[Attempt, ...] = ()
        while True:
            try:
                async with aclosing(self._inner.stream(request)) as events:
                    async for event in events:
                        started = True
                        if isinstance(event, Completed):
                            event = replace(event, retries=retries, failed=(*paid, *event.failed))
                        yield event
                return
            except ProviderError as error:
                paid += attempts_of(error)
                wait = None if started else self._patience.wait(error, retries)
                if wait is None:
                    raise with_attempts(error, paid) from error.__cause__
                retries += 1
                logger.warning(
                    "%s:%s %s, retry %d in %.2f s", self.provider, self.model, error.code, retries, wait
                )
            await asyncio.sleep(wait)
