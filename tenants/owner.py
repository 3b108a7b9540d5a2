"""The owner's role, for migrations and maintain: the only code that may change tables."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.db import connection

SWAPPED = ("USER", "PASSWORD", "HOST", "PORT", "NAME")


@contextmanager
def owner_connection() -> Iterator[Any]:
    """Run the block with the default connection as the schema's owner, without the pool, then put it back.

    A second database alias would not do: django-tenants routes migrations to the default one only. Raises
    ImproperlyConfigured where DATABASE_OWNER_URL is not known, as in web and worker.
    """
    owner = _owner()
    saved: dict[str, Any] = {key: connection.settings_dict[key] for key in (*SWAPPED, "OPTIONS")}
    connection.close()
    connection.settings_dict.update({key: owner[key] for key in SWAPPED})
    connection.settings_dict["OPTIONS"] = {k: v for k, v in owner["OPTIONS"].items() if k != "pool"}
    try:
        yield connection
    finally:
        connection.close()
        connection.settings_dict.update(saved)
        connection.set_schema_to_public()  # type: ignore[attr-defined]  # our backend's own method


@contextmanager
def beside() -> "Iterator[psycopg.Connection[Any]]":
    """One more connection of the owner, in autocommit and outside Django: to hold a lock, or to watch, while the first
    is busy. Raises ImproperlyConfigured as `owner_connection` does."""
    owner = _owner()
    options = {key: value for key, value in owner["OPTIONS"].items() if key != "pool"}
    with psycopg.connect(
        dbname=owner["NAME"],
        user=owner["USER"],
        password=owner["PASSWORD"] or None,
        host=owner["HOST"] or None,
        port=owner["PORT"] or None,
        autocommit=True,
        **options,
    ) as opened:
        yield opened


def _owner() -> dict[str, Any]:
    owner: dict[str, Any] | None = settings.DATABASE_OWNER
    if owner is None:
        raise ImproperlyConfigured(
            "DATABASE_OWNER_URL is not set: migrations and maintain need the owner's role"
        )
    return owner
