"""Money: United States dollars as Decimal, ten places, as the ledger's numeric(18,10) keeps them."""

from decimal import ROUND_HALF_EVEN, Decimal

QUANTUM = Decimal("0.0000000001")
MAX_DIGITS, PLACES = 18, 10


def money(value: Decimal | int | str) -> Decimal:
    """`value` in dollars, rounded half-even to ten places. Floats are refused: they are not money."""
    if isinstance(value, float):
        raise TypeError("money is a Decimal, an int or a string, never a float")
    return Decimal(value).quantize(QUANTUM, rounding=ROUND_HALF_EVEN)


def as_text(value: Decimal) -> str:
    """`value` as the API writes it: plain decimal, no exponent, no trailing zeros."""
    text = f"{value:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
