"""What happens when the web process starts and when it stops."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from django.core.exceptions import ImproperlyConfigured

from config import operating
from config.health import embedder_missing
from config.request_body import Receive, Scope, Send
from kernel import observing
from tenants.roles import refuse_if_unsafe

DRAIN_S = 8.0
"""How long running answers may take to finish or to be stored as interrupted; `up` waits 15 s for the whole process."""

_log = logging.getLogger(__name__)
_drains: list[Callable[[], Awaitable[None]]] = []


def on_shutdown(drain: Callable[[], Awaitable[None]]) -> None:
    """Have `drain` awaited, for at most DRAIN_S seconds, once connections are closed and before the process ends."""
    _drains.append(drain)


async def lifespan(scope: Scope, receive: Receive, send: Send) -> None:
    """The ASGI lifespan: refuses to start as an unsafe database role, and drains before it stops."""
    await receive()
    observing.begin("web")
    try:
        # In a thread: Django's connections must not be used on the event loop.
        await asyncio.to_thread(refuse_if_unsafe)
    except Exception as error:
        _log.critical(
            "the web process does not start: %s", error, exc_info=not isinstance(error, ImproperlyConfigured)
        )
        await asyncio.to_thread(operating.end)
        await send({"type": "lifespan.startup.failed", "message": ""})
        return
    # Begins to load the model, so that the first visitor does not wait for it.
    await asyncio.to_thread(embedder_missing)
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await drain()
    await asyncio.to_thread(operating.end)
    await send({"type": "lifespan.shutdown.complete"})


async def drain() -> None:
    """Await every registered drain, together, for at most DRAIN_S seconds; what fails is logged and fails alone."""
    try:
        async with asyncio.timeout(DRAIN_S):
            outcomes = await asyncio.gather(*(begin() for begin in _drains), return_exceptions=True)
    except TimeoutError:
        _log.warning("stopped after %g s with work still running", DRAIN_S)
        return
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            _log.error("a drain failed", exc_info=outcome)
