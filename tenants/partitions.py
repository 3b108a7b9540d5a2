"""Partitions of one tenant: what they are called, so that maintain finds them and schema_check knows them."""

import re
import uuid
from typing import Final

_OWN: Final = re.compile(r"(?P<table>.+)_(?P<tenant>[0-9a-f]{32})")


def own_partition(table: str, tenant_id: uuid.UUID) -> str:
    """The name of the partition of `table` that holds the rows of this tenant and of nobody else."""
    return f"{table}_{tenant_id.hex}"


def tenant_of(partition: str) -> tuple[str, uuid.UUID] | None:
    """The table that an own partition belongs to and its tenant; None for any other name."""
    found = _OWN.fullmatch(partition)
    return (found["table"], uuid.UUID(found["tenant"])) if found else None


def default_partition(table: str) -> str:
    """The name of the partition of `table` that holds the rows of all other tenants."""
    return f"{table}_default"
