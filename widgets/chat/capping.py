"""Spend caps: the most that the AI's answers to one conversation, one visitor and one address may cost a tenant.

Boot is free for anybody, so these stand between a stranger and a tenant's budget. What was spent and what is held for
answers being made stands in Redis, in a hash for each subject and day. Where Redis does not answer, each process keeps
such books of its own; it also remembers what it has spent itself, so that a Redis that lost its memory is told.
"""

import time
import uuid
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal
from typing import Any, Final, NamedTuple

from django.conf import settings
from django.db.models import F, QuerySet

from kernel import clock
from kernel.limiting import counted_as
from tenants.context import TenantRef
from tenants.spend_caps import CAPS, CapName
from widgets.models import Widget

# Amounts in Redis are whole billionths of a dollar: sums of them are exact.
NANO: Final = 10**9
# Longer than any answer may take; what is held for a process that died frees itself.
HELD_S: Final = 15 * 60
# A conversation goes on until it was silent for a day; a day's books outlive the day.
KEPT_S: Final = 48 * 3600
# A price that nobody knows counts as this, per million tokens: dearer than most, for strangers spend it.
UNPRICED: Final = Decimal(10)
REMEMBERED: Final = 30_000


class Book(NamedTuple):
    """One subject's account: what it may cost at most, and what is known from elsewhere to be spent. In billionths."""

    name: CapName
    key: str
    cap: int
    known: int = 0


@dataclass(frozen=True, slots=True)
class Terms:
    """What a widget grants its visitors, as it was when they connected."""

    caps: Mapping[CapName, int] = field(default_factory=dict)
    locale: str = ""


@dataclass(frozen=True, slots=True)
class Payer:
    """Whom answers are counted for: a visitor at an address, and the conversation they are in."""

    tenant: TenantRef
    widget_id: uuid.UUID
    visitor_id: uuid.UUID
    address: str
    terms: Terms
    session_id: uuid.UUID | None = None
    # What the session's row says it has cost.
    session_cost: int = 0

    def books(self) -> list[Book]:
        """Its accounts of today: the session's only once there is one."""
        caps, day, prefix = self.terms.caps, f"{clock.now():%Y-%m-%d}", f"fd:{self.tenant.id}:spent"
        books = []
        if self.session_id is not None:
            books.append(Book("session", session_key(self), caps["session"], self.session_cost))
        books += [
            Book("visitor", f"{prefix}:visitor:{self.visitor_id}:{day}", caps["visitor"]),
            Book("address", f"{prefix}:address:{counted_as(self.address)}:{day}", caps["address"]),
        ]
        return [book._replace(known=max(book.known, OWN.spent(book.key))) for book in books]


def session_key(payer: Payer) -> str:
    """Where a conversation's account is."""
    return f"fd:{payer.tenant.id}:spent:session:{payer.session_id}"


def with_terms(widgets: "QuerySet[Widget]") -> "QuerySet[Widget]":
    """Widgets with what `terms_of` reads, in the same statement."""
    return widgets.annotate(tenant_settings=F("tenant__settings"))


def terms_of(widget: Widget) -> Terms:
    """What a widget from `with_terms` grants: its own settings, else its tenant's, else the installation's."""
    house: Mapping[str, Any] = getattr(widget, "tenant_settings", None) or {}
    caps: dict[CapName, int] = {}
    for name, setting in CAPS.items():
        own = widget.settings.get(setting) or house.get(setting)
        caps[name] = nano(Decimal(own) if own else settings.SPEND_CAPS[name])
    return Terms(caps, widget.settings.get("locale") or "")


def nano(dollars: Decimal) -> int:
    """Dollars in billionths, rounded up."""
    return int((dollars * NANO).to_integral_value(ROUND_UP))


def counted(dollars: Decimal | None, tokens: int) -> int:
    """What an amount counts as, in billionths; one without a price by its tokens."""
    return nano(dollars if dollars is not None else tokens * UNPRICED / 1_000_000)


# After `kernel.limiting.LUA`. KEYS: limits, then books. ARGV: the limits' own; then purpose, the amount to hold and the
# seconds that holds and books live; each book's cap and what is known to be spent; last, how many limits there are.
# Returns the number of the book that has no room, 0, or -1 where a limit refused; then the limits' own answer. A second
# call for the same purpose changes what it holds.
ADMIT: Final = """
local count = tonumber(ARGV[#ARGV])
local refused, told = limit(1, count)
if refused then
  table.insert(told, 1, '-1')
  return told
end
local at = 2 * count
local purpose, amount = ARGV[at + 1], tonumber(ARGV[at + 2])
local reached = 0
for i = 1, #KEYS - count do
  local key, cap, spent, held = KEYS[count + i], tonumber(ARGV[at + 3 + 2 * i]), tonumber(ARGV[at + 4 + 2 * i]), 0
  local book = redis.call('HGETALL', key)
  for j = 1, #book, 2 do
    if book[j] == 'spent' then
      spent = math.max(spent, tonumber(book[j + 1]))
    elseif book[j] ~= purpose then
      local till, sum = string.match(book[j + 1], '(%S+) (%S+)')
      if tonumber(till) < now then redis.call('HDEL', key, book[j]) else held = held + tonumber(sum) end
    end
  end
  if reached == 0 and (spent + held >= cap or spent + held + amount > cap) then reached = i end
end
if reached == 0 then
  local hold = string.format('%.0f %.0f', now + tonumber(ARGV[at + 3]), amount)
  for i = count + 1, #KEYS do
    redis.call('HSET', KEYS[i], purpose, hold)
    redis.call('EXPIRE', KEYS[i], ARGV[at + 4])
  end
end
table.insert(told, 1, tostring(reached))
return told
"""
# KEYS: books. ARGV: purpose, what it cost, seconds that books live.
SETTLE: Final = """
for _, key in ipairs(KEYS) do
  redis.call('HDEL', key, ARGV[1])
  if ARGV[2] ~= '0' then
    redis.call('HINCRBY', key, 'spent', ARGV[2])
    redis.call('EXPIRE', key, ARGV[3])
  end
end
"""


def arguments(purpose: str, amount: int, books: Sequence[Book]) -> list[str | int]:
    """What `ADMIT` reads after the limits' own."""
    return [purpose, amount, HELD_S, KEPT_S, *(part for book in books for part in (book.cap, book.known))]


class OwnBooks:
    """The books of this process: what it spent itself, and all there is while Redis does not answer."""

    def __init__(self) -> None:
        self._spent: OrderedDict[str, int] = OrderedDict()
        self._held: dict[str, dict[str, tuple[float, int]]] = {}

    def spent(self, key: str) -> int:
        """What this process has spent."""
        return self._spent.get(key, 0)

    def admit(self, purpose: str, amount: int, books: Sequence[Book]) -> int:
        """As `ADMIT`: 0, or the number of the book that has no room."""
        for number, book in enumerate(books, 1):
            used = max(book.known, self.spent(book.key)) + self._holds(book.key, but=purpose)
            if used >= book.cap or used + amount > book.cap:
                return number
        for book in books:
            self._held.setdefault(book.key, {})[purpose] = (time.monotonic() + HELD_S, amount)
        return 0

    def settle(self, purpose: str, cost: int, keys: Sequence[str]) -> None:
        """As `SETTLE`."""
        for key in keys:
            holds = self._held.get(key)
            if holds is not None:
                holds.pop(purpose, None)
                if not holds:
                    del self._held[key]
            if cost:
                self._spent[key] = self._spent.pop(key, 0) + cost
        while len(self._spent) > REMEMBERED:
            self._spent.popitem(last=False)

    def clear(self) -> None:
        """Forget everything."""
        self._spent.clear()
        self._held.clear()

    def _holds(self, key: str, *, but: str) -> int:
        holds, now = self._held.get(key), time.monotonic()
        if holds is None:
            return 0
        for purpose in [one for one, (till, _) in holds.items() if till < now]:
            del holds[purpose]
        return sum(amount for purpose, (_, amount) in holds.items() if purpose != but)


OWN: Final = OwnBooks()
