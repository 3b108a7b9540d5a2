"""How fast one connection may talk. Limits across connections, visitors and tenants come with the rate limits."""

import time
from typing import Final

from django.conf import settings

MESSAGES_PER_S: Final = 0.5
MESSAGES_AT_ONCE: Final = 10
FRAMES_PER_S: Final = 20.0
FRAMES_AT_ONCE: Final = 200


class TooFast(Exception):
    """The connection sends so many frames that it is closed."""


class Bucket:
    """A token bucket: `at_once` at first, then `per_second`."""

    __slots__ = ("_at_once", "_left", "_per_second", "_since")

    def __init__(self, per_second: float, at_once: int) -> None:
        self._per_second, self._at_once = per_second, at_once
        self._left, self._since = float(at_once), time.monotonic()

    def take(self) -> float:
        """0 when one more is allowed (and taken), else the seconds until it is."""
        now = time.monotonic()
        self._left = min(self._at_once, self._left + (now - self._since) * self._per_second)
        self._since = now
        if self._left >= 1:
            self._left -= 1
            return 0.0
        return (1 - self._left) / self._per_second


class ConnectionLimits:
    """One connection's two buckets."""

    __slots__ = ("_frames", "_messages")

    def __init__(self) -> None:
        self._messages = Bucket(MESSAGES_PER_S, MESSAGES_AT_ONCE)
        self._frames = Bucket(FRAMES_PER_S, FRAMES_AT_ONCE)

    def frame(self) -> None:
        """Count a frame. Raises TooFast."""
        if settings.RATE_LIMITS and self._frames.take():
            raise TooFast

    def message(self) -> float:
        """Count a message: 0, or the seconds to wait before the next."""
        return self._messages.take() if settings.RATE_LIMITS else 0.0
