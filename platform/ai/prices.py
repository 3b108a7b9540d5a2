"""What providers charge per token, from the dated public prices that genai-prices ships. It calls nobody."""

from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from decimal import Decimal
from importlib.metadata import version

from genai_prices.data_snapshot import get_snapshot
from genai_prices.types import ConditionalPrice, ModelInfo, StartDateConstraint, TieredPrices

# What runs here costs no money; that is known, and so it is zero and not None.
FREE = frozenset({"offline", "local"})
# Read once: it is in the package's metadata on the disk.
SOURCE = f"genai-prices {version('genai-prices')}"


@dataclass(frozen=True, slots=True)
class ProviderPrice:
    """US dollars per million tokens.

    None means that the provider does not sell this apart: `cached` and `cache_write` tokens then cost what `input`
    does, and an embedder has no `output`. `effective_from` is when this price began, None where that is not recorded.
    `valid_to_input_tokens` is set for models that charge everything dearer above so many input tokens in one call: up
    to there these prices hold, above it ask `lookup` with the call's `input_tokens`.
    """

    input: Decimal | None
    output: Decimal | None
    cached: Decimal | None
    cache_write: Decimal | None
    source: str
    effective_from: datetime | None = None
    valid_to_input_tokens: int | None = None


def lookup(provider: str, model: str, at: datetime, *, input_tokens: int = 0) -> ProviderPrice | None:
    """The price of `model` at the moment `at` (timezone-aware), or None where it is unknown.

    Providers that price long prompts apart do so for the whole call (genai-prices calls it a cliff): `input_tokens`
    chooses the tier, 0 the lowest. Cache writes are those kept for five minutes, the only kind we ask for.
    """
    if at.tzinfo is None:
        raise ValueError("at must be timezone-aware")
    if provider in FREE:
        zero = Decimal(0)
        return ProviderPrice(zero, zero, zero, zero, source="free: runs on this machine")
    try:
        _, info = get_snapshot().find_provider_model(model, None, provider, None)
    except LookupError:
        return None
    prices = info.get_prices(at)
    if prices.input_mtok is None and prices.output_mtok is None:
        return None  # sold by something other than tokens: seconds, pictures, requests
    rates = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    given, output, cached, written = (_rate(price, input_tokens) for price in rates)
    return ProviderPrice(
        input=given,
        output=output,
        cached=cached,
        cache_write=written,
        source=SOURCE,
        effective_from=_effective_from(info, at),
        valid_to_input_tokens=_next_tier(rates, input_tokens),
    )


def _rate(price: Decimal | TieredPrices | None, input_tokens: int) -> Decimal | None:
    if not isinstance(price, TieredPrices):
        return price
    reached = [tier.price for tier in price.tiers if input_tokens > tier.start]
    return reached[-1] if reached else price.base


def _next_tier(rates: tuple[Decimal | TieredPrices | None, ...], input_tokens: int) -> int | None:
    starts = [
        tier.start
        for price in rates
        if isinstance(price, TieredPrices)
        for tier in price.tiers
        if tier.start >= input_tokens
    ]
    return min(starts, default=None)


def _effective_from(info: ModelInfo, at: datetime) -> datetime | None:
    if not isinstance(info.prices, list):
        return None
    active = (price for price in reversed(info.prices) if _is_active(price, at))
    chosen = next(active, None)
    started: date | None = (
        chosen.constraint.start_date
        if chosen and isinstance(chosen.constraint, StartDateConstraint)
        else None
    )
    return datetime.combine(started, time(), UTC) if started else None


def _is_active(price: ConditionalPrice, at: datetime) -> bool:
    return price.constraint is None or price.constraint.active(at)
