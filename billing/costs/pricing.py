"""What a call costs: a tenant's negotiated price first, then the public price rows, then the dated ones of `ai.prices`.

Where none of them knows the model the cost is None, never 0. Rows are cached in the process for a minute, so an answer
needs no query for its price.
"""

import threading
import time
import uuid
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Final, NamedTuple

from django.db.models import Q

from ai import prices
from ai.usage import Usage
from billing.costs.models import ModelPrice, PriceUnit, Service
from kernel import clock
from kernel.money import money
from tenants.context import require_tenant

MILLION: Final = Decimal(1_000_000)
CACHE_SECONDS: Final = 60.0
CACHE_KEYS: Final = 4096
# Some providers are cheaper at night; their hours begin on the quarter.
LISTED_SECONDS: Final = 900
# What runs here costs no money: that is known, and so it is 0 and not None. The last is the tests' own model.
FREE: Final = prices.FREE | {"scripted"}

# What a service is sold by where its usage is not in tokens (data-model.md, cost_events.units).
UNITS: Final = {
    Service.VISION: PriceUnit.IMAGES,
    Service.VOICE_STT: PriceUnit.SECONDS,
    Service.VOICE_TTS: PriceUnit.CHARACTERS,
    Service.LIVEKIT: PriceUnit.PARTICIPANT_MINUTES,
}


@dataclass(frozen=True, slots=True)
class Rates:
    """Dollars per million tokens, or `input` per unit. None: not sold apart. `price_id` is the row it was read from."""

    input: Decimal | None
    output: Decimal | None = None
    cached: Decimal | None = None
    cache_write: Decimal | None = None
    price_id: uuid.UUID | None = None


class Priced(NamedTuple):
    """What a call costs, None where unknown, and the price row it was reckoned by, where there is one."""

    cost_usd: Decimal | None
    price_id: uuid.UUID | None


class Estimate(NamedTuple):
    """The most an answer can cost: in dollars, None where the price is unknown, and in tokens."""

    amount: Decimal | None
    tokens: int


class _Dated(NamedTuple):
    effective_from: datetime
    rates: Rates


class _Cached(NamedTuple):
    read_at: float
    rows: tuple[_Dated, ...]


class _Key(NamedTuple):
    tenant_id: uuid.UUID
    service: str
    provider: str
    model: str
    unit: str


_cache: dict[_Key, _Cached] = {}
_cache_lock = threading.Lock()


def price(
    service: str, provider: str, model: str, usage: Usage | None, units: Decimal | None, at: datetime
) -> Priced:
    """What this usage costs the acting tenant at the moment `at`.

    A call may have tokens and units (a speech model sells one or the other): each that has a price is added, and the
    cost is None where neither has one, or where some of the tokens have none.
    """
    if provider in FREE:
        return Priced(Decimal(0), None)
    found: list[Priced] = []
    if usage is not None and (rates := token_rates(service, provider, model, at, usage.input_tokens)):
        found.append(Priced(token_cost(rates, usage), rates.price_id))
    unit = UNITS.get(Service(service))
    if units is not None and unit is not None:
        rates = _from_rows(_Key(require_tenant().id, service, provider, model, unit), at)
        if rates is not None:
            found.append(Priced(unit_cost(rates, units), rates.price_id))
    costs = [part.cost_usd for part in found if part.cost_usd is not None]
    if not costs or len(costs) < len(found):
        return Priced(None, None)
    return Priced(sum(costs, Decimal(0)), found[0].price_id)


def token_rates(service: str, provider: str, model: str, at: datetime, input_tokens: int) -> Rates | None:
    """The acting tenant's price of `model` per million tokens, or None where nobody knows one.

    `input_tokens` matters to models that price long prompts apart.
    """
    stored = _from_rows(_Key(require_tenant().id, service, provider, model, PriceUnit.TOKENS), at)
    if stored is not None:
        return stored
    public = _listed(provider, model, int(at.timestamp()) // LISTED_SECONDS)
    if public and public.valid_to_input_tokens is not None and input_tokens > public.valid_to_input_tokens:
        public = prices.lookup(provider, model, at, input_tokens=input_tokens)
    return Rates(public.input, public.output, public.cached, public.cache_write) if public else None


def token_cost(rates: Rates, usage: Usage) -> Decimal | None:
    """Dollars for `usage`: cached and cache-write tokens are part of the input and priced at their own rate, or as
    input where they have none. None where a kind of token was used that has no price."""
    cached = min(usage.cached_tokens, usage.input_tokens)
    written = min(usage.cache_write_tokens, usage.input_tokens - cached)
    parts = (
        (usage.input_tokens - cached - written, rates.input),
        (cached, rates.cached if rates.cached is not None else rates.input),
        (written, rates.cache_write if rates.cache_write is not None else rates.input),
        (usage.output_tokens, rates.output),
    )
    total = Decimal(0)
    for tokens, rate in parts:
        if not tokens:
            continue
        if rate is None:
            return None
        total += tokens * rate
    return money(total / MILLION)


def unit_cost(rates: Rates, units: Decimal) -> Decimal | None:
    """Dollars for so many seconds, characters, images or participant minutes."""
    return None if rates.input is None else money(rates.input * units)


def answer_estimate(provider: str, model: str, *, input_tokens: int, max_tokens: int) -> Estimate:
    """The most an answer of the acting tenant can cost: its whole prompt at the dearest input price and every token
    it is allowed to write. What `billing.costs.budgets.reserve` takes.

    `input_tokens` is `ai.usage.estimate_tokens` of the prompt; a third is added, since a hold should rather be too
    large than too small.
    """
    prompt = -(-input_tokens * 4 // 3)
    tokens = prompt + max_tokens
    if provider in FREE:
        return Estimate(Decimal(0), tokens)
    rates = token_rates(Service.LLM, provider, model, clock.now(), prompt)
    if rates is None or rates.input is None or rates.output is None:
        return Estimate(None, tokens)
    dearest = max(rate for rate in (rates.input, rates.cached, rates.cache_write) if rate is not None)
    return Estimate(money((prompt * dearest + max_tokens * rates.output) / MILLION), tokens)


def forget() -> None:
    """Read every price again; whoever writes price rows calls this so that its own process sees them at once."""
    with _cache_lock:
        _cache.clear()
    _listed.cache_clear()


@lru_cache(CACHE_KEYS)
def _listed(provider: str, model: str, quarter: int) -> prices.ProviderPrice | None:
    """What the dated prices say of a short prompt; remembered, since a look-up costs more than all else here."""
    return prices.lookup(provider, model, datetime.fromtimestamp(quarter * LISTED_SECONDS, UTC))


def _from_rows(key: _Key, at: datetime) -> Rates | None:
    cached = _cache.get(key)
    if cached is None or time.monotonic() - cached.read_at > CACHE_SECONDS:
        cached = _Cached(time.monotonic(), _read(key))
        with _cache_lock:
            if len(_cache) >= CACHE_KEYS:
                _cache.clear()
            _cache[key] = cached
    return next((dated.rates for dated in cached.rows if dated.effective_from <= at), None)


def _read(key: _Key) -> tuple[_Dated, ...]:
    """The tenant's own rows, newest first, then the public ones."""
    rows = ModelPrice.objects.filter(
        Q(tenant_id=key.tenant_id) | Q(tenant_id=None),
        provider=key.provider,
        model=key.model,
        service=key.service,
        unit=key.unit,
    ).order_by("tenant_id", "-effective_from")
    return tuple(
        _Dated(row.effective_from, Rates(row.input, row.output, row.cached, row.cache_write, row.id))
        for row in rows
    )
