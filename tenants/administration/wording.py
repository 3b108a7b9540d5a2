"""How the admin says things to people: money, moments, codes, facts."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, Final

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from kernel.money import as_text

CENT: Final = Decimal("0.01")
MILLIONTH: Final = Decimal("0.000001")
MAX_FACT: Final = 500


def dollars(amount: Decimal | None) -> str:
    """An amount for people: `$12.30`, below a cent to a millionth (`$0.0012`), or "unknown" where there is no price."""
    if amount is None:
        return "unknown"
    sign, size = ("-" if amount < 0 else ""), abs(amount)
    if size == 0 or size >= CENT:
        return f"{sign}${size.quantize(CENT, ROUND_HALF_UP):,}"
    if size < MILLIONTH:
        return f"under {sign}${as_text(MILLIONTH)}"
    return f"{sign}${as_text(size.quantize(MILLIONTH, ROUND_HALF_UP))}"


def moment(value: datetime | None, *, never: str = "never") -> SafeString | str:
    """A time in the tenant's zone: `21 Nov 2025, 14:05`."""
    if value is None:
        return never
    local = timezone.localtime(value)
    return format_html(
        '<time class="fd-nowrap" datetime="{}">{}</time>',
        value.isoformat(timespec="seconds"),
        date_format(local, "j M Y, H:i"),
    )


def words(code: str) -> str:
    """A code for people: `budget_reached` is "budget reached"."""
    return code.replace("_", " ")


def plural(number: int, thing: str) -> str:
    """`1 event`, `3 events`."""
    return f"{number:,} {thing}" if number == 1 else f"{number:,} {thing}s"


def facts(values: Mapping[str, Any] | Iterable[tuple[str, Any]], *, none: str = "none") -> SafeString | str:
    """Names and values as a list of facts, so that nobody has to read JSON."""
    pairs = values.items() if isinstance(values, Mapping) else values
    lines = [(words(str(name)), told(value)) for name, value in pairs]
    if not lines:
        return none
    rows = format_html_join("", "<div><dt>{}</dt><dd>{}</dd></div>", lines)
    return format_html('<dl class="fd-facts">{}</dl>', rows)


def told(value: Any) -> str:
    """A value for people: nothing is "none", a flag is yes or no, a long text ends with an ellipsis."""
    if value is None or value == "":
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return "; ".join(f"{words(str(name))}: {told(inner)}" for name, inner in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(told, value)) or "none"
    text = str(value)
    return f"{text[:MAX_FACT]}…" if len(text) > MAX_FACT else text
