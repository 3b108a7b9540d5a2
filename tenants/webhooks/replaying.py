"""Sending again, and sending to try: what a tenant asks for by hand."""

import uuid
from datetime import datetime
from typing import Final

from django.db import models

from kernel import clock
from kernel.errors import Conflict, NotFound
from tenants.auditing import record
from tenants.context import require_tenant
from tenants.webhooks import publishing
from tenants.webhooks.claiming import lock_tenant
from tenants.webhooks.endpoints import locked
from tenants.webhooks.events import WEBHOOK_TEST
from tenants.webhooks.models import DeliveryStatus, WebhookDelivery, WebhookEndpoint
from tenants.webhooks.promising import promise
from tenants.webhooks.representing import as_endpoint_object

MAX_REPLAYED: Final = 10_000


def replay_one(endpoint_id: uuid.UUID, delivery_id: uuid.UUID) -> WebhookDelivery:
    """Send one delivery again, whatever became of it, with the same `webhook-id` and a schedule of its own. One that is
    on its way is left to that.

    Raises NotFound, Conflict (`endpoint_disabled`). Inside `acting_as`.
    """
    _again(endpoint_id, WebhookDelivery.objects.filter(pk=delivery_id))
    delivery = WebhookDelivery.objects.filter(endpoint_id=endpoint_id, pk=delivery_id).first()
    if delivery is None:
        raise NotFound(f"There is no webhook delivery {delivery_id}.")
    return delivery


def replay_since(endpoint_id: uuid.UUID, since: datetime, *, delivered_too: bool = False) -> int:
    """Send again what happened at or after `since` and was given up, oldest first; `delivered_too`: also what arrived.
    How many: at most 10,000 at a time. Raises NotFound, Conflict (`endpoint_disabled`). Inside `acting_as`."""
    statuses = [DeliveryStatus.FAILED, *([DeliveryStatus.DELIVERED] if delivered_too else [])]
    chosen = WebhookDelivery.objects.filter(
        endpoint_id=endpoint_id, created_at__gte=since, status__in=statuses
    )
    return _again(endpoint_id, chosen.order_by("id")[:MAX_REPLAYED])


def send_test(endpoint_id: uuid.UUID) -> WebhookDelivery:
    """Send a `webhook.test` to this endpoint, whatever it asked for. Raises NotFound, Conflict (`endpoint_disabled`).
    Inside `acting_as`."""
    endpoint = _active(endpoint_id)
    record("tested", endpoint)
    event = publishing.publish_wanted(WEBHOOK_TEST, as_endpoint_object(endpoint), only=endpoint.pk)
    return WebhookDelivery.objects.get(event_id=event, endpoint=endpoint)


def _again(endpoint_id: uuid.UUID, chosen: "models.QuerySet[WebhookDelivery]") -> int:
    endpoint = _active(endpoint_id)
    lock_tenant()
    now = clock.now()
    ids = list(chosen.values_list("pk", flat=True))
    count = WebhookDelivery.objects.filter(endpoint=endpoint, pk__in=ids, lease=None).update(
        status=DeliveryStatus.PENDING,
        tries=0,
        due_from=now,
        next_attempt_at=now,
        delivered_at=None,
        updated_at=now,
    )
    record("replayed", endpoint, after={"deliveries": count})
    if count:
        promise(endpoint.pk, now)
        publishing.deliver_soon(require_tenant(), [endpoint.pk])
    return count


def _active(endpoint_id: uuid.UUID) -> WebhookEndpoint:
    endpoint = locked(endpoint_id)
    if not endpoint.is_active:
        raise Conflict("This endpoint is turned off; turn it on first.", code="endpoint_disabled")
    return endpoint
