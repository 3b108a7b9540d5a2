"""Beat's work in conversations."""

from celery import shared_task

from widgets.chat import recovery


@shared_task(name="widgets.recover_answers", tenant_mode=None)
def recover_answers() -> int:
    """End the answers that dead processes left behind."""
    return recovery.recover_overdue()


@shared_task(name="widgets.end_idle_sessions", tenant_mode=None)
def end_idle_sessions() -> int:
    """End the sessions that nobody has continued for a day."""
    return recovery.end_idle_sessions()
