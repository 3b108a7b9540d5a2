"""Embedding for callers without an event loop: WSGI threads, Celery, commands."""

import asyncio
import os
import threading
from collections.abc import Coroutine
from functools import cache
from typing import Any, TypeVar

T = TypeVar("T")


def wait_for(work: Coroutine[Any, Any, T]) -> T:
    """Run `work` on this process's own event loop for such callers, and wait for it; its exceptions are raised here.

    One loop for all of them, so that connections to a provider are kept from one call to the next. Never call it on an
    event loop's thread: it would block that loop.
    """
    return asyncio.run_coroutine_threadsafe(work, _loop()).result()


@cache
def _loop() -> asyncio.AbstractEventLoop:
    loop = asyncio.new_event_loop()
    threading.Thread(target=loop.run_forever, name="embedding-loop", daemon=True).start()
    return loop


# A forked child inherits the loop but not the thread that runs it.
os.register_at_fork(after_in_child=_loop.cache_clear)
