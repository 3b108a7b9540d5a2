"""Beat's work in conversations."""

import uuid

from celery import shared_task

from tenants.tasking import TenantTask
from widgets.chat import recovery
from widgets.erasing import visitors


@shared_task(name="widgets.recover_answers", tenant_mode=None)
def recover_answers() -> int:
    """End the answers that dead processes left behind."""
    return recovery.recover_overdue()


@shared_task(name="widgets.end_idle_sessions", tenant_mode=None)
def end_idle_sessions() -> int:
    """End the sessions that nobody has continued for a day."""
    return recovery.end_idle_sessions()


@shared_task(name="widgets.erase_visitor", bind=True, tenant_mode="manual")
def erase_visitor(self: TenantTask, receipt_id: str) -> None:
    """Carry out one order to erase a visitor."""
    visitors.carry_out(self.tenant, uuid.UUID(receipt_id))


@shared_task(name="widgets.erase_visitors", tenant_mode=None)
def erase_visitors() -> int:
    """Carry out the orders to erase a visitor that were left undone."""
    return visitors.carry_out_overdue()
