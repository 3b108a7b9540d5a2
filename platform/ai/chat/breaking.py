"""A circuit breaker for each model that has another to fall back on: who failed again and again is not asked for a
while, so that visitors do not wait for it in vain.

The state is a few numbers in this process; each process learns for itself.
"""

import time
from collections.abc import Callable

FAILURES = 3
OPEN_S = 30.0


class Circuit:
    """Closed while a model answers. After `FAILURES` in a row it opens for `OPEN_S` seconds; then one call tries again,
    while others still pass it by, and its outcome closes or opens it."""

    __slots__ = ("_clock", "_failures", "_open_until")

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._failures = 0
        self._open_until = 0.0

    def admits(self) -> bool:
        """Whether to ask the model now. Where it may try again, true once: the caller is to try it."""
        if self._failures < FAILURES:
            return True
        now = self._clock()
        if now < self._open_until:
            return False
        self._open_until = now + OPEN_S
        return True

    def succeeded(self) -> None:
        """The model has answered."""
        self._failures = 0

    def failed(self) -> None:
        """The model has failed in a way that says that it is not there."""
        self._failures += 1
        if self._failures >= FAILURES:
            self._open_until = self._clock() + OPEN_S
