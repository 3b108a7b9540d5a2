"""Beat's work for the boundary between tenants."""

from celery import shared_task

from tenants import canaries
from tenants.context import acting_as
from tenants.directory import all_tenants
from tenants.rest import idempotency


@shared_task(name="tenants.sound_off", tenant_mode=None)
def sound_off() -> int:
    """Look, as some tenants in turn, whether any can see another's rows; how many breaches were found."""
    return len(canaries.sound_off().breaches)


@shared_task(name="tenants.forget_idempotency_keys", tenant_mode=None)
def forget_idempotency_keys() -> int:
    """Delete what was kept of requests for long enough; how many."""
    forgotten = 0
    for tenant in all_tenants():
        with acting_as(tenant):
            forgotten += idempotency.forget_expired()
    return forgotten
