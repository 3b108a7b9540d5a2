"""Rate limits across processes, in Redis: the generic cell rate algorithm (ITU-T I.371, appendix I.A).

One number per subject says when it would have been done had it kept to its rate; a request is refused where that lies
more than a burst ahead. One script call reads and moves it, so that no two requests see the same room.

Where Redis does not answer, each process counts for itself: limits hold per process, loosely, and nobody is locked out.
"""

import ipaddress
import logging
import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, cast

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

REMEMBERED: Final = 10_000
TIMEOUT_S: Final = 0.25
# After a failure Redis is left alone for a moment: each request would wait for it otherwise.
LEFT_ALONE_S: Final = 2.0

# `limit(first, last)` counts one request in these KEYS, each with two ARGV at the same place: seconds per request and
# burst in seconds. All have room, or none is counted. It returns whether one refused and how far ahead each is: for
# scripts of upper rooms that do more in the same round trip.
LUA: Final = """
local time = redis.call('TIME')
local now = tonumber(time[1]) + tonumber(time[2]) / 1000000
local function limit(first, last)
  local found, refused = {}, false
  for i = first, last do
    local each, burst = tonumber(ARGV[2 * i - 1]), tonumber(ARGV[2 * i])
    local due = math.max(tonumber(redis.call('GET', KEYS[i]) or '0'), now)
    local ahead = due + each - now
    if ahead > burst + 0.000001 then refused = true end
    found[i] = {due, each, ahead}
  end
  local told = {}
  for i = first, last do
    local due, each, ahead = found[i][1], found[i][2], found[i][3]
    if not refused then
      redis.call('SET', KEYS[i], string.format('%.6f', due + each), 'PX', math.ceil(ahead * 1000) + 1)
      due = due + each
    end
    told[#told + 1] = string.format('%.6f', due - now)
  end
  return refused, told
end
"""
SCRIPT: Final = (
    LUA
    + """
local refused, told = limit(1, #KEYS)
table.insert(told, 1, refused and '1' or '0')
return told
"""
)

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Limit:
    """`per_second` in the long run, `at_once` after a rest. `name` is part of the key and of the headers."""

    name: str
    per_second: float
    at_once: int

    @property
    def window(self) -> float:
        """Seconds in which an exhausted burst is whole again."""
        return self.at_once / self.per_second


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether one more request is allowed, and how things stand for the tightest of its limits."""

    limit: Limit
    remaining: int
    reset_s: float
    retry_after_s: float

    @property
    def allowed(self) -> bool:
        return self.retry_after_s <= 0

    def headers(self) -> dict[str, str]:
        """`RateLimit` and `RateLimit-Policy` as the IETF's draft (httpapi-ratelimit-headers-10) writes them."""
        name, window = self.limit.name, max(1, round(self.limit.window))
        return {
            "RateLimit-Policy": f'"{name}";q={self.limit.at_once};w={window}',
            "RateLimit": f'"{name}";r={self.remaining};t={max(0, round(self.reset_s))}',
        }


def take(*subjects: tuple[Limit, str]) -> Verdict | None:
    """Count one request of each subject, or of none where one has no room; None where RATE_LIMITS is off.

    `subjects` are pairs of a limit and whom it is for: a key, a tenant, an address.
    """
    if not settings.RATE_LIMITS:
        return None
    limits = [limit for limit, _ in subjects]
    keys = keys_of(subjects)
    ahead = _in_redis(keys, limits)
    refused, due = ahead if ahead is not None else count_here(keys, limits)
    return judge(limits, due, refused)


def counted_as(address: str) -> str:
    """Whom a limit counts a request of `address` for: IPv6 by its /64, which is what one customer is given, IPv4 as it
    is, also where it is written as IPv6; "none" for what is no address (a unix socket)."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "none"
    if isinstance(parsed, ipaddress.IPv4Address):
        return str(parsed)
    if parsed.ipv4_mapped is not None:
        return str(parsed.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(parsed) >> 64 << 64, 64)))


def keys_of(subjects: Sequence[tuple[Limit, str]]) -> list[str]:
    """Where Redis keeps each subject's count."""
    return [f"frontdesk:limit:{limit.name}:{subject}" for limit, subject in subjects]


def arguments(limits: Sequence[Limit]) -> list[float]:
    """What `LUA`'s `limit` reads of each."""
    return [part for limit in limits for part in (1 / limit.per_second, limit.window)]


def judge(limits: Sequence[Limit], due: Sequence[float], refused: bool) -> Verdict:
    """The verdict of the limit with the least room; `due` is how far ahead each is, in seconds."""
    return min((_verdict(limit, one, refused) for limit, one in zip(limits, due, strict=True)), key=_room)


def _room(verdict: Verdict) -> tuple[float, int]:
    return (-verdict.retry_after_s, verdict.remaining)


def _verdict(limit: Limit, due: float, refused: bool) -> Verdict:
    each = 1 / limit.per_second
    remaining = max(0, int((limit.window - due) / each + 1e-6))
    wait = max(0.0, due + each - limit.window) if refused else 0.0
    return Verdict(limit, remaining, max(0.0, due), wait)


_left_alone_until = 0.0


def _in_redis(keys: Sequence[str], limits: Sequence[Limit]) -> tuple[bool, list[float]] | None:
    told = run(SCRIPT, keys, arguments(limits))
    return None if told is None else (told[0] == b"1", [float(one) for one in told[1:]])


def run(script: str, keys: Sequence[str], values: Sequence[Any]) -> list[bytes] | None:
    """What a script answers; None where Redis does not, and then it is left alone for a moment."""
    global _left_alone_until
    if time.monotonic() < _left_alone_until:
        return None
    try:
        return cast("list[bytes]", _script(settings.REDIS_URL, script)(keys=keys, args=values))
    except redis.RedisError as error:
        _left_alone_until = time.monotonic() + LEFT_ALONE_S
        _log.warning("rate limits are counted per process, because Redis does not answer: %s", error)
        return None


@cache
def _script(url: str, script: str) -> Any:
    client = redis.Redis.from_url(
        url, socket_timeout=TIMEOUT_S, socket_connect_timeout=TIMEOUT_S, retry=Retry(NoBackoff(), 0)
    )
    return client.register_script(script)


_due: OrderedDict[str, float] = OrderedDict()


def count_here(keys: Sequence[str], limits: Sequence[Limit]) -> tuple[bool, list[float]]:
    """Count one request in this process alone, where Redis does not answer: whether one refused, and how far ahead each
    is."""
    now = time.monotonic()
    due = [max(_due.get(key, 0.0), now) for key in keys]
    refused = any(
        one + 1 / limit.per_second - now > limit.window + 1e-6 for one, limit in zip(due, limits, strict=True)
    )
    if not refused:
        for index, (key, limit) in enumerate(zip(keys, limits, strict=True)):
            due[index] += 1 / limit.per_second
            _due[key] = due[index]
            _due.move_to_end(key)
        while len(_due) > REMEMBERED:
            _due.popitem(last=False)
    return refused, [one - now for one in due]
