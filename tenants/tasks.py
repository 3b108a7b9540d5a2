"""Beat's work for the boundary between tenants."""

from celery import shared_task

from tenants import canaries


@shared_task(name="tenants.sound_off", tenant_mode=None)
def sound_off() -> int:
    """Look, as some tenants in turn, whether any can see another's rows; how many breaches were found."""
    return len(canaries.sound_off().breaches)
