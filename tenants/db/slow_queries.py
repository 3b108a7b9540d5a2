"""Statements that take long are written down: with their placeholders, never with what was put in them."""

import logging
import re
import time
from collections.abc import Callable
from typing import Any, Final

from django.conf import settings

from kernel import measuring

SLOW_S: Final = 0.1
"""product.md section 6: queries slower than 100 ms are logged."""
LONGEST: Final = 2_000
_SPACE: Final = re.compile(r"\s+")

logger = logging.getLogger(__name__)


def watch(execute: Callable[..., Any], statement: Any, parameters: Any, many: bool, context: Any) -> Any:
    """A wrapper as Django's `execute_wrapper` takes it; costs two looks at the clock where a statement is quick.

    The log adds request and tenant by itself.
    """
    began = time.perf_counter()
    try:
        return execute(statement, parameters, many, context)
    finally:
        took = time.perf_counter() - began
        # The owner's role builds indexes and moves rows, which takes as long as it takes.
        if took > SLOW_S and context["connection"].settings_dict["USER"] == settings.APPLICATION_ROLE:
            measuring.SLOW_QUERIES.inc()
            logger.warning(
                "slow query: %.0f ms",
                took * 1000,
                extra={
                    "duration_ms": round(took * 1000, 1),
                    "statement": described(statement),
                    "batch": many,
                    "in_transaction": context["connection"].in_atomic_block,
                },
            )


def described(statement: Any) -> str:
    """A statement on one line, at most LONGEST characters of it. One composed by psycopg may hold literals: it is not
    shown."""
    return _SPACE.sub(" ", statement).strip()[:LONGEST] if isinstance(statement, str) else "(composed)"
