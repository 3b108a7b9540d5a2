"""How fast one connection may talk, counted in its own process; `admitting` counts messages across all of them."""

import time
import uuid
from collections import OrderedDict
from typing import Final

from django.conf import settings

from kernel.errors import FrontdeskError
from kernel.limiting import Limit, Verdict

MESSAGES_PER_S: Final = 0.5
MESSAGES_AT_ONCE: Final = 10
FRAMES_PER_S: Final = 20.0
FRAMES_AT_ONCE: Final = 200
TYPING_PER_S: Final = 0.5
TYPING_AT_ONCE: Final = 3
# Feedback, asking for a person: each writes a row or locks a session.
DEEDS_PER_S: Final = 1.0
DEEDS_AT_ONCE: Final = 20
# How long a flood of requests without a socket has to pause, as one on a socket does before it comes back.
TOO_FAST_S: Final = 10.0
# Visitors without a socket whose limits a process remembers: the ones it has heard of last.
VISITORS_REMEMBERED: Final = 10_000


class TooFast(Exception):
    """The connection sends so many frames that it is closed."""


class TooSoon(FrontdeskError):
    """A message, a rating or a call for a person came too soon after others. `own_id` is the id its frame brought;
    `headers` say the limit and how much of it is left, as HTTP does."""

    code = "too_fast"

    def __init__(self, verdict: Verdict, own_id: str | None = None) -> None:
        super().__init__("wait a moment before the next one")
        self.retry_after, self.headers, self.own_id = verdict.retry_after_s, verdict.headers(), own_id


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


def refusal(name: str, per_second: float, at_once: int, wait: float) -> Verdict:
    """What a bucket that is empty for `wait` seconds says of itself."""
    return Verdict(Limit(name, per_second, at_once), 0, at_once / per_second, wait)


class ConnectionLimits:
    """One connection's buckets; of those that few connections need there is none until it is needed."""

    __slots__ = ("_deeds", "_frames", "_messages", "_typing")

    def __init__(self) -> None:
        self._messages = Bucket(MESSAGES_PER_S, MESSAGES_AT_ONCE)
        self._frames = Bucket(FRAMES_PER_S, FRAMES_AT_ONCE)
        self._deeds: Bucket | None = None
        self._typing: Bucket | None = None

    def frame(self) -> None:
        """Count a frame. Raises TooFast."""
        if settings.RATE_LIMITS and self._frames.take():
            raise TooFast

    def request(self) -> None:
        """Count a request that stands for a connection. Raises TooSoon."""
        if settings.RATE_LIMITS and self._frames.take():
            raise TooSoon(refusal("requests", FRAMES_PER_S, FRAMES_AT_ONCE, TOO_FAST_S))

    def message(self, own_id: str) -> None:
        """Count a message. Raises TooSoon."""
        wait = self._messages.take() if settings.RATE_LIMITS else 0.0
        if wait:
            raise TooSoon(refusal("messages", MESSAGES_PER_S, MESSAGES_AT_ONCE, wait), own_id)

    def deed(self, own_id: str | None = None) -> None:
        """Count a rating or a call for a person. Raises TooSoon."""
        self._deeds = self._deeds or Bucket(DEEDS_PER_S, DEEDS_AT_ONCE)
        wait = self._deeds.take() if settings.RATE_LIMITS else 0.0
        if wait:
            raise TooSoon(refusal("deeds", DEEDS_PER_S, DEEDS_AT_ONCE, wait), own_id)

    def typing(self) -> float:
        """Count a sign of life: 0, or the seconds until the next is worth relaying."""
        self._typing = self._typing or Bucket(TYPING_PER_S, TYPING_AT_ONCE)
        return self._typing.take()


_visitors: OrderedDict[uuid.UUID, ConnectionLimits] = OrderedDict()


def limits_of(visitor_id: uuid.UUID) -> ConnectionLimits:
    """The limits of a visitor who talks over HTTP, where no connection lasts: the same ones for request after request
    to this process."""
    limits = _visitors.pop(visitor_id, None) or ConnectionLimits()
    _visitors[visitor_id] = limits
    if len(_visitors) > VISITORS_REMEMBERED:
        _visitors.popitem(last=False)
    return limits
