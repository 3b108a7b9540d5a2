"""Letting visitors in: how often they may boot, and whether they have to do a proof of work first.

A widget whose `proofOfWork` is `auto` is guarded for ten minutes from when its boots, refused ones and refused messages
pass a rate that no crowd of visitors reaches; while it is guarded, a third of that rate keeps it so. All of it is one
round trip to Redis; where that is away, each process decides for itself.
"""

import time
import uuid
from collections import OrderedDict
from typing import Final, NamedTuple, TypeVar

from django.conf import settings

from kernel import limiting, measuring
from kernel.errors import FrontdeskError
from kernel.limiting import Limit, Verdict, counted_as
from tenants.context import TenantRef
from widgets.chat import proving
from widgets.chat.proving import BootProof, ProofRequired
from widgets.chat.streams import Deed, bus
from widgets.models import Widget

V = TypeVar("V")

# An office behind one address opens a page every two seconds; a widget on a busy site fifty in one.
PER_ADDRESS: Final = Limit("address", 0.5, 60)
PER_WIDGET: Final = Limit("widget", 50.0, 1000)
# What begins a guard, and what keeps it up.
CALM: Final = Limit("calm", 3.0, 180)
STILL: Final = Limit("still", 1.0, 60)
GUARDED_S: Final = 600
REMEMBERED: Final = 10_000

# KEYS: the two limits of boot; calm and still; the guard; a proof that was solved, where there is one. ARGV: the
# limits' own; seconds of a guard and of a proof; 1 where the guard is automatic. Returns whether boot is refused,
# whether the widget is guarded, whether the proof is fresh, and how far ahead the two limits are.
SCRIPT: Final = (
    limiting.LUA
    + """
local refused, told = limit(1, 2)
local guarded = redis.call('EXISTS', KEYS[5]) == 1
if ARGV[11] == '1' then
  local at = guarded and 4 or 3
  if limit(at, at) then
    redis.call('SET', KEYS[5], '1', 'EX', ARGV[9])
    guarded = true
  end
end
local fresh = not refused and KEYS[6] and redis.call('SET', KEYS[6], '1', 'NX', 'EX', ARGV[10])
return {refused and '1' or '0', guarded and '1' or '0', fresh and '1' or '0', told[1], told[2]}
"""
)
# KEYS: calm and still, the guard. ARGV: the limits' own, seconds of a guard.
DISTURB: Final = (
    limiting.LUA
    + """
local at = redis.call('EXISTS', KEYS[3]) == 1 and 2 or 1
if limit(at, at) then redis.call('SET', KEYS[3], '1', 'EX', ARGV[5]) end
"""
)


class TooManyBoots(FrontdeskError):
    """One address, or one widget, boots faster than visitors do."""

    code = "rate_limited"

    def __init__(self, verdict: Verdict) -> None:
        super().__init__("too many visits from here; try again later")
        self.retry_after, self.headers = verdict.retry_after_s, verdict.headers()


class Found(NamedTuple):
    """How things stand at a boot."""

    verdict: Verdict
    is_guarded: bool
    is_fresh: bool


def let_in(
    tenant: TenantRef, widget: Widget, address: str, proof: BootProof | None, *, is_known: bool
) -> None:
    """Count a boot of the widget from `address`. `is_known`: the visitor has proved who they are, or has a conversation
    that goes on, and does no work. Raises TooManyBoots, then ProofRequired."""
    mode = widget.settings.get("proofOfWork") or "auto"
    solved = (
        proof if proof and mode != "off" and proving.is_solved(proof, widget.public_key, address) else None
    )
    is_guarded = mode == "on"
    is_fresh = False
    if settings.RATE_LIMITS or (is_guarded and not is_known):
        found = _look(tenant, widget, address, solved, is_automatic=mode == "auto")
        if settings.RATE_LIMITS and not found.verdict.allowed:
            raise TooManyBoots(found.verdict)
        is_guarded = is_guarded or (mode == "auto" and found.is_guarded)
        is_fresh = found.is_fresh
    if is_guarded and not is_known and not is_fresh:
        measuring.PROOFS.labels("asked" if proof is None else "refused").inc()
        raise ProofRequired(widget.public_key, address)
    if is_fresh:
        measuring.PROOFS.labels("solved").inc()


def disturbed(tenant: TenantRef, widget_id: uuid.UUID) -> None:
    """A visitor's message was refused: count it towards a guard, soon. On the event loop."""
    keys = [
        *limiting.keys_of([(CALM, str(widget_id)), (STILL, str(widget_id))]),
        guard_key(tenant, widget_id),
    ]
    values = [str(value) for value in (*limiting.arguments([CALM, STILL]), GUARDED_S)]
    bus().run(Deed(DISTURB, keys, values, lambda: None))


def is_guarded(tenant: TenantRef, widget_id: uuid.UUID) -> bool:
    """Whether an automatic guard is up now; False where Redis does not answer."""
    told = limiting.run("return {redis.call('EXISTS', KEYS[1])}", [guard_key(tenant, widget_id)], [])
    return bool(told and int(told[0]))


def guard_key(tenant: TenantRef, widget_id: uuid.UUID) -> str:
    """Where Redis keeps that a widget is guarded."""
    return f"fd:{tenant.id}:guarded:{widget_id}"


def _look(
    tenant: TenantRef, widget: Widget, address: str, solved: BootProof | None, *, is_automatic: bool
) -> Found:
    limits = [PER_ADDRESS, PER_WIDGET, CALM, STILL]
    whose = str(widget.pk)
    names = [counted_as(address), widget.public_key, whose, whose]
    keys = limiting.keys_of(list(zip(limits, names, strict=True)))
    used = [f"frontdesk:proof:{proving.seed_of(solved.token)}"] if solved else []
    values = [*limiting.arguments(limits), GUARDED_S, proving.LIFETIME_S + 60, int(is_automatic)]
    told = limiting.run(SCRIPT, [*keys, guard_key(tenant, widget.pk), *used], values)
    if told is None:
        return _look_here(keys, limits, used, is_automatic=is_automatic)
    verdict = limiting.judge(limits[:2], [float(one) for one in told[3:]], told[0] == b"1")
    return Found(verdict, told[1] == b"1", told[2] == b"1")


# What this process knows while Redis does not answer: until when widgets are guarded, and which proofs were used.
_guarded_until: OrderedDict[str, float] = OrderedDict()
_used: OrderedDict[str, None] = OrderedDict()


def _look_here(keys: list[str], limits: list[Limit], used: list[str], *, is_automatic: bool) -> Found:
    refused, due = limiting.count_here(keys[:2], limits[:2])
    now, name = time.monotonic(), keys[2]
    guarded = _guarded_until.get(name, 0.0) > now
    if is_automatic:
        at = 3 if guarded else 2
        over, _ = limiting.count_here([keys[at]], [limits[at]])
        if over:
            _remember(_guarded_until, name, now + GUARDED_S)
            guarded = True
    is_fresh = bool(used) and not refused and used[0] not in _used
    if is_fresh:
        _remember(_used, used[0], None)
    return Found(limiting.judge(limits[:2], due, refused), guarded, is_fresh)


def _remember(known: "OrderedDict[str, V]", key: str, value: V) -> None:
    known.pop(key, None)
    known[key] = value
    if len(known) > REMEMBERED:
        known.popitem(last=False)
