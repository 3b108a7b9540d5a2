"""Events and the log of their deliveries are kept for thirty days, and of a visitor who is erased no longer."""

from datetime import datetime, timedelta
from typing import Final

from django.db import connection

from kernel import clock
from tenants.context import acting_as
from tenants.directory import all_tenants
from tenants.forgetting import Person
from tenants.webhooks.models import OutboxEvent

KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 5_000

# Its deliveries go with an event: the database cascades.
FORGET: Final = """
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < %s ORDER BY created_at LIMIT %s)
"""

# Whatever is told of a conversation names it or its visitor.
ABOUT: Final = """
FROM outbox WHERE EXISTS (SELECT FROM unnest(%s::text[]) AS one(id) WHERE position(one.id IN outbox.body) > 0)
"""


def events_of(person: Person) -> int:
    """Inside `acting_as`: how many events tell of this person."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT count(*) {ABOUT}", [_names(person)])
        return int(cursor.fetchone()[0])


def forget(person: Person) -> None:
    """Inside `acting_as`: delete these with the log of their deliveries, told or not."""
    with connection.cursor() as cursor:
        cursor.execute(f"DELETE {ABOUT}", [_names(person)])


def events_before(moment: datetime) -> int:
    """Inside `acting_as`: how many events are older; they hold what was said."""
    return OutboxEvent.objects.filter(created_at__lt=moment).count()


def delete_events(moment: datetime, limit: int) -> int:
    """Inside `acting_as`: delete some of these with the log of their deliveries; how many."""
    with connection.cursor() as cursor:
        cursor.execute(FORGET, [moment, limit])
        return int(cursor.rowcount)


def _names(person: Person) -> list[str]:
    return [str(one) for one in (person.visitor_id, *person.session_ids)]


def forget_old() -> int:
    """Delete every tenant's events of long ago, some thousands in a transaction; how many."""
    gone = 0
    for tenant in all_tenants():
        while True:
            with acting_as(tenant), connection.cursor() as cursor:
                cursor.execute(FORGET, [clock.now() - KEPT, AT_ONCE])
                deleted = cursor.rowcount
            gone += deleted
            if deleted < AT_ONCE:
                break
    return gone
