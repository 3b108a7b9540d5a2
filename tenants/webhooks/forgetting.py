"""Events and the log of their deliveries are kept for thirty days."""

from datetime import timedelta
from typing import Final

from django.db import connection

from kernel import clock
from tenants.context import acting_as
from tenants.directory import all_tenants

KEPT: Final = timedelta(days=30)
AT_ONCE: Final = 5_000

# Its deliveries go with an event: the database cascades.
FORGET: Final = """
DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE created_at < %s ORDER BY created_at LIMIT %s)
"""


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
