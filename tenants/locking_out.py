"""Guessing made slow: each account and each address has a few free tries, then waits that double.

A try is counted before the password is looked at and taken back when it was right, so that a thousand tries at once are
a thousand counted tries. Accounts are counted by what was typed, whether there is such a person or not: the answer is
the same. Counts are kept in Redis; where it is away each process counts for itself, which is more tries and never none.
"""

import hashlib
import logging
import threading
import time
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any, Final

import redis
from django.conf import settings

from kernel.errors import FrontdeskError
from kernel.limiting import counted_as

REMEMBERED_S: Final = 24 * 3_600
FIRST_WAIT_S: Final = 15
# How many subjects one process counts while Redis is away; the longest unseen are forgotten first.
COUNTED_HERE: Final = 10_000
PREFIX: Final = "frontdesk:tries"

TRY: Final = """
local left = redis.call('PTTL', KEYS[2])
if left > 0 then return left end
local tries = redis.call('INCR', KEYS[1])
redis.call('PEXPIRE', KEYS[1], ARGV[4])
local over = tries - tonumber(ARGV[1])
if over >= 0 then
  redis.call('SET', KEYS[2], 1, 'PX', math.min(ARGV[2] * 2 ^ math.min(over, 30), tonumber(ARGV[3])))
end
return 0
"""

_log = logging.getLogger(__name__)


class LockedOut(FrontdeskError):
    """Too many tries; `wait` is in seconds."""

    code = "rate_limited"

    def __init__(self, wait: int) -> None:
        super().__init__(f"Too many attempts. Try again in {_words(wait)}.")
        self.wait = wait


@dataclass(frozen=True, slots=True)
class Subject:
    """What tries are counted for. After `free` of them each further one sets a wait of up to `longest` seconds."""

    name: str
    free: int
    longest: int


def account(email: str) -> Subject:
    """Somebody's password. A wait is a quarter of an hour at most, so that a stranger cannot keep a person out for
    long."""
    return Subject(f"account:{_digest(email.strip().lower())}", free=5, longest=15 * 60)


def second_step(user_id: object) -> Subject:
    """Somebody's codes: with five free ones in a million, and waits, a thousand days of guessing find one."""
    return Subject(f"code:{user_id}", free=5, longest=3_600)


def address(ip: str, *, what: str = "address", free: int = 30) -> Subject:
    """Where the request comes from. Many people may share an address, so it has more tries; IPv6 counts by /64, which
    is what one customer is given. `what` keeps counts of different deeds apart."""
    return Subject(f"{what}:{counted_as(ip)}", free=free, longest=3_600)


def begin_try(*subjects: Subject) -> None:
    """Count a try for each. Raises LockedOut where one of them has to wait."""
    for subject in subjects:
        wait_ms = _counted(subject)
        if wait_ms > 0:
            _log.warning("a try was refused", extra={"counted": subject.name.partition(":")[0]})
            raise LockedOut(-(-wait_ms // 1000))


def succeeded(*subjects: Subject) -> None:
    """The try was right: an account's count begins anew; of an address's only this try is taken back, so that one who
    has an account cannot wipe out the tries at others'."""
    for subject in subjects:
        forget = not subject.name.startswith("address")
        _HERE.right(subject, forget=forget)
        tries, until = _keys(subject)
        try:
            with _redis().pipeline() as pipe:
                pipe.delete(until)
                if forget:
                    pipe.delete(tries)
                else:
                    pipe.decr(tries)
                    pipe.pexpire(tries, REMEMBERED_S * 1000)
                pipe.execute()
        except redis.RedisError:
            _log.warning("Redis is away: tries are counted by each process for itself")


def tries(subject: Subject) -> int:
    """How often it was tried since it last was right, within a day."""
    try:
        return int(_redis().get(_keys(subject)[0]) or 0)  # type: ignore[arg-type]  # blocking client
    except redis.RedisError:
        return _HERE.count(subject)


def _counted(subject: Subject) -> int:
    """Milliseconds to wait; 0 where the try was counted and may go on."""
    limits: list[Any] = [subject.free, FIRST_WAIT_S * 1000, subject.longest * 1000, REMEMBERED_S * 1000]
    try:
        return int(_redis().eval(TRY, 2, *_keys(subject), *limits))  # type: ignore[arg-type]  # blocking client
    except redis.RedisError:
        _log.warning("Redis is away: tries are counted by each process for itself")
        return _HERE.tried(subject)


class _Counter:
    """The same in this process's memory."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts: OrderedDict[str, tuple[int, float, float]] = OrderedDict()

    def tried(self, subject: Subject) -> int:
        moment = time.monotonic()
        with self._lock:
            tries, until, seen = self._counts.pop(subject.name, (0, 0.0, moment))
            if moment - seen > REMEMBERED_S:
                tries, until = 0, 0.0
            left = until - moment
            if left <= 0:
                tries += 1
                over = tries - subject.free
                wait = min(FIRST_WAIT_S * 2 ** min(over, 30), subject.longest) if over >= 0 else 0
                until = moment + wait
            self._counts[subject.name] = (tries, until, moment)
            while len(self._counts) > COUNTED_HERE:
                self._counts.popitem(last=False)
        return max(0, int(left * 1000))

    def count(self, subject: Subject) -> int:
        with self._lock:
            return self._counts.get(subject.name, (0, 0.0, 0.0))[0]

    def right(self, subject: Subject, *, forget: bool) -> None:
        with self._lock:
            known = self._counts.pop(subject.name, None)
            if known and not forget:
                self._counts[subject.name] = (max(0, known[0] - 1), 0.0, known[2])


_HERE: Final = _Counter()


def _keys(subject: Subject) -> tuple[str, str]:
    return f"{PREFIX}:{subject.name}", f"{PREFIX}:wait:{subject.name}"


def _digest(text: str) -> str:
    """Emails are no business of Redis's."""
    return hashlib.sha256(text.encode(errors="replace")).hexdigest()[:32]


def _words(seconds: int) -> str:
    if seconds < 60:
        return "1 second" if seconds == 1 else f"{seconds} seconds"
    minutes = -(-seconds // 60)
    return "1 minute" if minutes == 1 else f"{minutes} minutes"


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)
