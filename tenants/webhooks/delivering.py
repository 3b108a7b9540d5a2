"""The worker's part: one endpoint's due deliveries, one after another, for as long as others can wait."""

import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from django.conf import settings

from kernel import clock
from kernel.errors import InvalidInput
from kernel.outbound import Limits, OutboundError, fetch
from tenants.context import TenantRef, acting_as
from tenants.webhooks import claiming, signing
from tenants.webhooks.backing_off import asked_wait
from tenants.webhooks.claiming import Claim, Outcome
from tenants.webhooks.models import WebhookEndpoint
from tenants.webhooks.promising import promise
from tenants.webhooks.publishing import send

LIMITS: Final = Limits(size=4_096, seconds=15.0, redirects=0, cut=True)
KEPT_BODY: Final = 1_024
SPELL_S: Final = 20.0
"""After this long a worker turns to others, and the endpoint queues again."""

# Calls wait for somebody else's server, so they may have half of a worker's threads; and half of those at most may go
# to endpoints that failed or were slow the last time, so that they hold up nobody else's.
_slots = threading.BoundedSemaphore(settings.WEBHOOK_SLOTS)
_doubtful_slots = threading.BoundedSemaphore(max(1, settings.WEBHOOK_SLOTS // 2))


def work(tenant: TenantRef, endpoint_id: uuid.UUID) -> int:
    """Attempt what is due for the endpoint; how many attempts were made. Call it outside any transaction."""
    ends, attempts = time.monotonic() + SPELL_S, 0
    while time.monotonic() < ends:
        with acting_as(tenant):
            endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).first()
            doubtful = endpoint is not None and claiming.is_doubtful(endpoint)
        with _slot(doubtful) as is_free:
            if not is_free:
                with acting_as(tenant):
                    promise(endpoint_id, clock.now())
                return attempts
            with acting_as(tenant):
                claimed = claiming.claim(endpoint_id)
            if claimed is None:
                return attempts
            outcome = attempt(claimed)
            with acting_as(tenant):
                claiming.settle(claimed, outcome)
            attempts += 1
    send(tenant, [endpoint_id])
    return attempts


def attempt(claimed: Claim) -> Outcome:
    """Send one delivery. Whatever becomes of it is an Outcome."""
    at, began = clock.now(), time.monotonic()
    signed = signing.headers(str(claimed.event), at, claimed.body, claimed.keys)
    try:
        reply = fetch(
            claimed.url,
            method="POST",
            headers={"content-type": "application/json", **signed},
            body=claimed.body,
            limits=LIMITS,
        )
    except (OutboundError, InvalidInput) as error:
        return Outcome(at, _since(began), error=error.detail[:300])
    # PostgreSQL's text holds no NUL.
    body = reply.body[:KEPT_BODY].decode("utf-8", "replace").replace("\0", "\ufffd")
    waits = asked_wait(reply.headers.get("retry-after"), at)
    return Outcome(at, _since(began), reply.status, body, _complaint(reply.status), waits)


def _complaint(status: int) -> str:
    """What is wrong with an answer of this status; empty where nothing is."""
    if 200 <= status < 300:
        return ""
    return f"It answered {status}{': redirects are not followed' if 300 <= status < 400 else ''}."


@contextmanager
def _slot(doubtful: bool) -> Iterator[bool]:
    """Room for one call, or not: nobody waits for it."""
    wanted = [_doubtful_slots, _slots] if doubtful else [_slots]
    held = []
    try:
        for slots in wanted:
            if not slots.acquire(blocking=False):
                break
            held.append(slots)
        yield len(held) == len(wanted)
    finally:
        for slots in held:
            slots.release()


def _since(began: float) -> int:
    return int((time.monotonic() - began) * 1000)
