"""What conversations hold of a visitor: every table that a chain of keys leads from to them, and what is in Redis."""

import uuid
from collections.abc import Iterable, Iterator
from typing import Any, Final

import redis
from django.conf import settings
from django.db import connection, models

from tenants.context import require_tenant
from tenants.forgetting import Person
from tenants.models import DueWork
from tenants.owned_tables import owned_tables
from tenants.ownership import SameTenantForeignKey
from widgets.chat import streams
from widgets.chat.asking import ANSWER_DUE
from widgets.models import Message, Visitor

SCANNED_AT_ONCE: Final = 1_000


def rows_of(visitor_id: uuid.UUID) -> Iterator[tuple[str, "models.QuerySet[Any]"]]:
    """The rows that go when the visitor goes, by table, what points at others before what is pointed at. Found by the
    models' keys, so that a new table joins by having one."""
    paths: dict[str, str] = {Visitor._meta.db_table: "pk"}
    found: list[tuple[str, models.QuerySet[Any]]] = []
    for table in owned_tables():
        path = paths.get(table.name) or _path(table.model, paths)
        if path:
            paths[table.name] = path
            found.append((table.name, table.model._default_manager.filter(**{path: visitor_id})))
    yield from reversed(found)


def _path(model: type[models.Model], paths: dict[str, str]) -> str | None:
    """How to ask this table for a visitor's rows, where its rows go with theirs."""
    for field in model._meta.concrete_fields:
        if isinstance(field, SameTenantForeignKey) and field.database_action == "CASCADE":
            onward = paths.get(field.related_model._meta.db_table)
            if onward:
                return f"{field.name}__{onward}"
    return None


def promises_to(person: Person) -> int:
    """How many answers of theirs are still looked after."""
    return _promises(person).count()


def forget_promises(person: Person) -> None:
    """Nobody need look after them."""
    _promises(person).delete()


def _promises(person: Person) -> "models.QuerySet[DueWork]":
    return DueWork.objects.filter(kind=ANSWER_DUE, key__in=person.answer_ids)


def attachments_of(person: Person) -> int:
    """How many files they sent. None is offered yet, so a message that names one only names it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(sum(jsonb_array_length(attachments)), 0) FROM {Message._meta.db_table} "  # noqa: S608 - our own table
            "WHERE session_id = ANY(%s)",
            [list(person.session_ids)],
        )
        return int(cursor.fetchone()[0])


def forget_attachments(person: Person) -> None:
    """Nothing of its own: they are parts of messages, which go."""


def stream_entries_of(person: Person) -> int:
    """How many pieces of answers that were being made Redis still has."""
    client = _redis()
    pipeline = client.pipeline(transaction=False)
    for name in _streams(person):
        pipeline.xlen(name)
    return sum(pipeline.execute())


def forget_streams(person: Person) -> None:
    """Delete these pieces."""
    _delete(_redis(), _streams(person))


def keys_of(person: Person) -> int:
    """How many other keys of Redis are theirs: proved identities, tickets of connections, what their answers cost."""
    return len(_keys(_redis(), person))


def forget_keys(person: Person) -> None:
    """Delete these keys."""
    client = _redis()
    _delete(client, _keys(client, person))


def _streams(person: Person) -> list[str]:
    tenant = require_tenant()
    return [streams.stream(tenant, answer) for answer in person.answer_ids]


def _keys(client: redis.Redis, person: Person) -> list[bytes]:
    prefix = f"fd:{require_tenant().id}"
    own = (f"{prefix}:identity:*:{person.visitor_id}", f"{prefix}:spent:visitor:{person.visitor_id}:*")
    found = [name for pattern in own for name in client.scan_iter(pattern, count=SCANNED_AT_ONCE)]
    sessions = [f"{prefix}:spent:session:{session_id}".encode() for session_id in person.session_ids]
    found += [name for name in sessions if client.exists(name)]
    # A ticket has a random name and lasts a minute; whose it is stands in it.
    visitor = str(person.visitor_id).encode()
    for name in client.scan_iter("fd:ticket:*", count=SCANNED_AT_ONCE):
        content = client.get(name)
        if isinstance(content, bytes) and visitor in content:
            found.append(name)
    return found


def _delete(client: redis.Redis, names: Iterable[Any]) -> None:
    listed = list(names)
    if listed:
        client.unlink(*listed)


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=5)
