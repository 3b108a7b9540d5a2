"""Ask for a tenant's fold soon, but not for each event: one task per tenant and two seconds."""

import logging
import threading
import time
import uuid
from functools import cache
from typing import Any, Final

import redis
from celery import current_app
from django.conf import settings
from django.db import transaction

from tenants.context import TenantRef
from tenants.models import Tenant
from tenants.tasking import HEADER

SECONDS: Final = 2
TASK: Final = "billing.fold"
_TIMEOUT: Final = 0.5
_REMEMBERED: Final = 10_000

logger = logging.getLogger(__name__)
_asked: dict[uuid.UUID, float] = {}
_lock = threading.Lock()


def fold_soon(tenant: TenantRef) -> None:
    """Send the tenant's fold, to run in two seconds, unless one is on its way: it will see what is committed by now.

    Never raises. Without Redis the fold waits for the beat's sweep; an answer must not fail for it.
    """
    now = time.monotonic()
    if now - _asked.get(tenant.id, -SECONDS) < SECONDS:
        return
    try:
        if _client().set(f"billing:fold:{tenant.id}", 1, nx=True, ex=SECONDS):
            _remember(tenant.id, now)
            current_app.send_task(TASK, headers={HEADER: str(tenant.id)}, countdown=SECONDS, retry=False)
    except Exception as error:
        # Whatever a broker can raise: the event is committed, and the sweep catches up. Waiting for the next attempt
        # keeps answers quick, and the log readable, while Redis is away.
        _remember(tenant.id, now)
        logger.warning("could not ask for the fold of tenant %s; the sweep will do it: %r", tenant.id, error)


def fold_once_saved(sender: type[Tenant], instance: Tenant, created: bool, **signal: Any) -> None:
    """A tenant was saved, perhaps with another time zone: the fold that finds one makes its summaries anew. After a
    change past `save` the sweep does, five minutes later at most."""
    if not created:
        tenant = TenantRef(instance.pk, instance.schema_name)
        transaction.on_commit(lambda: fold_soon(tenant))


def _remember(tenant_id: uuid.UUID, now: float) -> None:
    """Spare a busy tenant's answers the trip to Redis while our own task is on its way, or Redis is away. Another
    process's task may run sooner than two seconds from now, so it spares nothing."""
    with _lock:
        if len(_asked) >= _REMEMBERED:
            _asked.clear()
        _asked[tenant_id] = now


@cache
def _client() -> "redis.Redis":
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=_TIMEOUT, socket_connect_timeout=_TIMEOUT)
