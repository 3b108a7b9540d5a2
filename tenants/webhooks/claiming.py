"""Taking up a delivery and putting down how it went. A claim is a lease: whoever dies at it holds it for a minute.

Both run under one lock of the tenant's, so that what is in flight is counted right; it is held for two or three short
statements and never during a call.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import Q

from kernel import clock
from kernel.encryption import decrypt
from kernel.ids import uuid7
from tenants import due_work
from tenants.context import require_tenant
from tenants.webhooks import disabling
from tenants.webhooks.backing_off import next_attempt
from tenants.webhooks.models import DELIVERY_WORK, DeliveryStatus, WebhookDelivery, WebhookEndpoint
from tenants.webhooks.promising import promise, promise_next

LEASE: Final = timedelta(seconds=60)
OF_ENDPOINT: Final = 2
"""In flight to one endpoint at a time; one where the last attempt failed or was slow."""
OF_TENANT: Final = 4
SLOW_MS: Final = 2_000
GONE: Final = 410
LOGGED_ATTEMPTS: Final = 50


@dataclass(frozen=True, slots=True)
class Claim:
    """A delivery that is ours to attempt."""

    id: uuid.UUID
    lease: uuid.UUID
    endpoint: uuid.UUID
    event: uuid.UUID
    url: str
    body: bytes
    keys: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How an attempt went. `status` None: no answer came, and `error` says why."""

    at: datetime
    duration_ms: int
    status: int | None = None
    body: str = ""
    error: str = ""
    retry_after: timedelta | None = None

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return self.status is not None and 200 <= self.status < 300


def lock_tenant() -> None:
    """Hold up every other claim of the acting tenant until this transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('webhooks ' || %s::text, 0))",
            [str(require_tenant().id)],
        )


def is_doubtful(endpoint: WebhookEndpoint) -> bool:
    """Whether a call to it may well take long: it failed or was slow the last time."""
    return endpoint.failing_since is not None or (endpoint.last_duration_ms or 0) > SLOW_MS


def claim(endpoint_id: uuid.UUID) -> Claim | None:
    """The endpoint's delivery that has been due longest, leased to us; None where none is due now, or as many as may
    be are in flight. Inside `acting_as`."""
    lock_tenant()
    now = clock.now()
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id, is_active=True).first()
    pending = WebhookDelivery.objects.filter(endpoint_id=endpoint_id, status=DeliveryStatus.PENDING)
    if endpoint is None or _is_full(endpoint, now):
        promise_next(endpoint_id)
        return None
    due = pending.filter(Q(leased_until=None) | Q(leased_until__lte=now), next_attempt_at__lte=now)
    delivery = due.select_related("event").order_by("next_attempt_at", "id").first()
    if delivery is None:
        promise_next(endpoint_id)
        return None
    delivery.lease, delivery.leased_until = uuid7(), now + LEASE
    delivery.save(update_fields=["lease", "leased_until", "updated_at"])
    due_work.keep(DELIVERY_WORK, delivery.pk)
    # Whoever claims comes back for the rest; if not, somebody else does when the lease is over.
    promise(endpoint_id, now + LEASE)
    return Claim(
        delivery.pk,
        delivery.lease,
        endpoint_id,
        delivery.event_id,
        endpoint.url,
        delivery.event.body.encode(),
        _keys(endpoint, now),
    )


def settle(claimed: Claim, outcome: Outcome) -> None:
    """Write down how an attempt went and when the next one is. Changes nothing where the lease is somebody else's by
    now. Inside `acting_as`."""
    lock_tenant()
    delivery = (
        WebhookDelivery.objects.select_related("endpoint").filter(pk=claimed.id, lease=claimed.lease).first()
    )
    if delivery is None:
        return
    delivery.lease = delivery.leased_until = None
    delivery.tries += 1
    entry = {
        "at": outcome.at.isoformat().replace("+00:00", "Z"),
        "status": outcome.status,
        "duration_ms": outcome.duration_ms,
        "error": outcome.error,
        "body": outcome.body,
    }
    delivery.attempts = [*delivery.attempts, entry][-LOGGED_ATTEMPTS:]
    delivery.response_status, delivery.response_body = outcome.status, outcome.body
    delivery.duration_ms, delivery.error = outcome.duration_ms, outcome.error
    _decide(delivery, outcome)
    delivery.save()
    _remember(delivery.endpoint, outcome)
    promise_next(claimed.endpoint)


def _decide(delivery: WebhookDelivery, outcome: Outcome) -> None:
    """Whether it is delivered, given up, or tried again, and when."""
    now = clock.now()
    delivery.next_attempt_at = None
    if outcome.is_success:
        delivery.status, delivery.delivered_at = DeliveryStatus.DELIVERED, now
        return
    again = next_attempt(
        tries=delivery.tries, due_from=delivery.due_from, now=now, retry_after=outcome.retry_after
    )
    if again is None or outcome.status == GONE:
        delivery.status = DeliveryStatus.FAILED
    else:
        delivery.next_attempt_at = again


def _remember(endpoint: WebhookEndpoint, outcome: Outcome) -> None:
    """How the endpoint does; it is disabled where it is gone or has done nothing but fail for too long."""
    endpoint.last_duration_ms = outcome.duration_ms
    if outcome.is_success:
        endpoint.failing_since, endpoint.last_success_at = None, outcome.at
    elif endpoint.failing_since is None:
        endpoint.failing_since = outcome.at
    endpoint.save(update_fields=["last_duration_ms", "failing_since", "last_success_at", "updated_at"])
    disabling.disable_if_hopeless(endpoint, is_gone=outcome.status == GONE)


def _is_full(endpoint: WebhookEndpoint, now: datetime) -> bool:
    in_flight = list(
        WebhookDelivery.objects.filter(leased_until__gt=now).values_list("endpoint_id", flat=True)
    )
    share = 1 if is_doubtful(endpoint) else OF_ENDPOINT
    return len(in_flight) >= OF_TENANT or in_flight.count(endpoint.pk) >= share


def _keys(endpoint: WebhookEndpoint, now: datetime) -> tuple[str, ...]:
    keys = [decrypt(endpoint.secret)]
    if endpoint.previous_secret is not None and endpoint.previous_until and endpoint.previous_until > now:
        keys.append(decrypt(endpoint.previous_secret))
    return tuple(keys)
