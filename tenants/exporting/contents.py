"""What stands in an export and what does not. A new table is in it by being a model; what is left out says why."""

import uuid
from collections.abc import Callable, Iterator
from typing import IO, Any, Final, NamedTuple

from django.db import models

from tenants.encrypted import EncryptedField
from tenants.owned_tables import OwnedTable, owned_tables

# Tables that hold nothing of the tenant's own, or what opens a door.
LEFT_OUT: Final = {
    "answer_runs": "answers that are being made",
    "auth_sessions": "browsers that are signed in",
    "budget_holds": "money set aside for answers that are being made",
    "canaries": "the platform's own watch",
    "directory_keys": "names that lead to this tenant; each stands with what it names",
    "due_work": "the platform's own reminders",
    "exports": "archives like this one",
    "idempotency_records": "answers to requests, kept for a day to be given again",
    "knowledge_postings": "a keyword index, made from the chunks",
    "knowledge_totals": "a keyword index, made from the chunks",
    "knowledge_vector_indexes": "how vectors are indexed",
    "outbox": "events that webhooks are told of: copies of what stands elsewhere",
    "recovery_codes": "what people sign in with",
    "rollup_watermarks": "how far costs were added up",
    "second_factors": "what people sign in with",
    "security_keys": "what people sign in with",
    "staff_recovery_codes": "what the platform's people sign in with",
    "staff_second_factors": "what the platform's people sign in with",
}
# Columns that hold a secret without being encrypted, or that only this database understands.
LEFT_OUT_COLUMNS: Final = {
    "api_keys": {"key_hash"},
    "cost_events": {"xid"},
    "invitations": {"issue"},
    "users": {"password"},
}
# Numbers that a model made of the text; they can be made again, and are larger than all the rest.
VECTOR_TABLES: Final = frozenset({"chunk_embeddings"})
VECTOR_COLUMNS: Final = {"knowledge_documents": {"embedding"}}


class ExportedTable(NamedTuple):
    """A table of an export, with the columns that are not in it."""

    table: OwnedTable
    without: frozenset[str]


class Original(NamedTuple):
    """A file as it was sent: its name in the archive's folder `files`, and how to read it."""

    name: str
    open: Callable[[], IO[bytes]]


Originals = Callable[[uuid.UUID], Iterator[Original]]
_originals: Final[list[Originals]] = []


def with_originals(originals: Originals) -> None:
    """Have these files in every export. Called inside `acting_as` with the tenant's id; what it gives is read after the
    transaction, and raises FileNotFoundError where the file is gone by then. For upper rooms."""
    _originals.append(originals)


def originals(tenant_id: uuid.UUID) -> list[Original]:
    """The acting tenant's files, of every room."""
    return [one for of_room in _originals for one in of_room(tenant_id)]


def exported_tables(*, vectors: bool = False) -> list[ExportedTable]:
    """Every table of an export, each after those that it points at."""
    return [
        ExportedTable(table, _without(table, vectors=vectors))
        for table in owned_tables()
        if table.name not in LEFT_OUT and (vectors or table.name not in VECTOR_TABLES)
    ]


def _without(table: OwnedTable, *, vectors: bool) -> frozenset[str]:
    fields: list[models.Field[Any, Any]] = list(table.model._meta.concrete_fields)
    secrets = {field.column for field in fields if isinstance(field, EncryptedField)}
    computed = {field.column for field in fields if isinstance(field, models.GeneratedField)}
    large = set() if vectors else VECTOR_COLUMNS.get(table.name, set())
    return frozenset({*secrets, *computed, *large, *LEFT_OUT_COLUMNS.get(table.name, ())})
