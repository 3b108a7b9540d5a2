"""What a tenant says its visitors may cost: names of settings, and what is allowed in them. `widgets.chat.capping`
keeps to them."""

import re
from decimal import Decimal
from typing import Final, Literal

CapName = Literal["session", "visitor", "address"]

# The setting of each, in a tenant's settings and in a widget's, which comes first.
CAPS: Final[dict[CapName, str]] = {
    "session": "sessionCapUsd",
    "visitor": "visitorDayCapUsd",
    "address": "addressDayCapUsd",
}
ALLOWED: Final = "must be dollars from 0.0001 to 99,999, such as 2.50, or empty"
_DOLLARS: Final = re.compile(r"\d{1,5}(\.\d{1,4})?", re.ASCII)


def is_cap(text: str) -> bool:
    """Whether `text` is an amount that may be a cap; empty stands for the one above, the tenant's or the
    installation's."""
    return not text or (bool(_DOLLARS.fullmatch(text)) and Decimal(text) > 0)
