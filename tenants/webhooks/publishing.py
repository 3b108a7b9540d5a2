"""Telling that something happened: an event commits with the change it tells of, or not at all.

    publish(SESSION_ENDED, lambda: session_object(id))     one cheap question; all else only where somebody wants it
    SELECT …, public.wants_event('message.created') …      where not even that question may be asked apart
    publish_wanted(MESSAGE_CREATED, message)               … and this where its answer was yes

Inside `acting_as`, in the transaction of the change. A session's or document's row is locked by then; no lock is taken
here that another publishing transaction would wait for.
"""

import logging
import uuid
from collections.abc import Callable, Sequence
from datetime import timedelta
from functools import partial
from typing import Any, Final

from celery import current_app
from django.db import transaction

from kernel import clock
from kernel.ids import uuid7
from tenants.context import TenantRef, require_tenant
from tenants.db.prepared import prepared_cursor
from tenants.rest.rendering import dump
from tenants.tasking import HEADER
from tenants.webhooks.catalogue import EventType
from tenants.webhooks.models import DELIVERY_WORK

TASK: Final = "tenants.deliver_webhooks"
SEEN_WITHIN: Final = timedelta(seconds=30)
"""By when a worker has taken an event up, or the sweep sends it again."""

PUBLISH: Final = "SELECT public.publish_event(%s, %s, %s, %s, %s, %s, %s, %s)"

logger = logging.getLogger(__name__)


def wants(event: EventType) -> bool:
    """Whether anybody is to be told of events of this type."""
    with prepared_cursor() as cursor:
        cursor.execute("SELECT public.wants_event(%s)", [event.name])
        return bool(cursor.fetchone()[0])


def publish(event: EventType, data: Callable[[], Any]) -> None:
    """Tell of an event where somebody wants to know; `data` is called only then: the object as REST has it."""
    if wants(event):
        publish_wanted(event, data())


def publish_wanted(event: EventType, data: Any, *, only: uuid.UUID | None = None) -> uuid.UUID | None:
    """Tell of an event that is wanted (`only`: by this endpoint, whatever it asked for); its id, None where nobody is
    told after all."""
    tenant, identifier, now = require_tenant(), uuid7(), clock.now()
    body = dump({"type": event.name, "timestamp": now, "data": data}).decode()
    with prepared_cursor() as cursor:
        cursor.execute(
            PUBLISH, [tenant.id, identifier, event.name, body, only, now, DELIVERY_WORK, now + SEEN_WITHIN]
        )
        endpoints = [endpoint for (endpoint,) in cursor.fetchall()]
    if not endpoints:
        return None
    deliver_soon(tenant, endpoints)
    return identifier


def deliver_soon(tenant: TenantRef, endpoints: Sequence[uuid.UUID]) -> None:
    """Have a worker look at these endpoints once the transaction commits."""
    transaction.on_commit(partial(send, tenant, endpoints))


def send(tenant: TenantRef, endpoints: Sequence[uuid.UUID]) -> None:
    """Have a worker look at these endpoints now. Never raises: what was published stays promised."""
    try:
        for endpoint in endpoints:
            current_app.send_task(TASK, [str(endpoint)], headers={HEADER: str(tenant.id)}, retry=False)
    except Exception as error:
        # Whatever a broker can raise: the event is committed, and the sweep keeps the promise.
        logger.warning(
            "could not send webhooks of tenant %s to a worker; the sweep will: %r", tenant.id, error
        )
