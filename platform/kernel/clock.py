"""The time, in UTC, from one place so that tests can hold it still."""

from datetime import UTC, datetime


def now() -> datetime:
    """Now, timezone-aware, in UTC."""
    return datetime.now(UTC)
