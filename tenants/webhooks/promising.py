"""Who must look at an endpoint, and when: so that a killed worker or an emptied Redis delays and never loses."""

import logging
import uuid
from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final

from django.db.models import F, Min
from django.db.models.functions import Coalesce

from kernel import clock
from tenants import due_work
from tenants.context import TenantRef, acting_as
from tenants.webhooks.models import (
    DELIVERY_WORK,
    ENDPOINT_WORK,
    DeliveryStatus,
    WebhookDelivery,
    WebhookEndpoint,
)
from tenants.webhooks.publishing import send

SENT_AGAIN: Final = timedelta(seconds=60)
"""When a message to a worker counts as lost."""
AT_ONCE: Final = 500

logger = logging.getLogger(__name__)


def promise(endpoint: uuid.UUID, at: datetime) -> None:
    """The endpoint must be looked at then."""
    due_work.promise(ENDPOINT_WORK, endpoint, at)


def promise_next(endpoint: uuid.UUID) -> None:
    """Promise a look at the endpoint when its next delivery is due, or none where nothing waits. Under `lock_tenant`,
    so that nobody changes what is read here."""
    waiting = WebhookDelivery.objects.filter(
        endpoint_id=endpoint, endpoint__is_active=True, status=DeliveryStatus.PENDING
    )
    at = waiting.aggregate(at=Min(Coalesce(F("leased_until"), F("next_attempt_at"))))["at"]
    if at is None:
        due_work.keep(ENDPOINT_WORK, endpoint)
    else:
        promise(endpoint, at)


def sweep() -> int:
    """Send every endpoint of any tenant whose time has come to a worker; how many."""
    _gather()
    # What is promised for this very moment is due, too.
    due = due_work.overdue(ENDPOINT_WORK, clock.now() + timedelta(milliseconds=1), AT_ONCE)
    for work in due:
        with acting_as(work.tenant):
            # Again before long, unless the worker that takes it up says otherwise.
            promise(work.key, clock.now() + SENT_AGAIN)
        send(work.tenant, [work.key])
    return len(due)


def _gather() -> None:
    """Deliveries that no worker has seen in time become a promise of their endpoints', of which there are few: a tenant
    with many cannot crowd out the others."""
    while unseen := due_work.overdue(DELIVERY_WORK, clock.now(), AT_ONCE):
        by_tenant: dict[TenantRef, list[uuid.UUID]] = defaultdict(list)
        for work in unseen:
            by_tenant[work.tenant].append(work.key)
        for tenant, keys in by_tenant.items():
            with acting_as(tenant):
                waiting = WebhookDelivery.objects.filter(pk__in=keys, status=DeliveryStatus.PENDING)
                for endpoint in sorted(set(waiting.values_list("endpoint_id", flat=True))):
                    if WebhookEndpoint.objects.filter(pk=endpoint, is_active=True).exists():
                        promise(endpoint, clock.now())
                for key in keys:
                    due_work.keep(DELIVERY_WORK, key)
        if len(unseen) < AT_ONCE:
            return
