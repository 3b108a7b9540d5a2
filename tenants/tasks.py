"""Beat's work for the boundary between tenants, and letters to people."""

import uuid
from typing import Any, Final

from celery import shared_task

from tenants import (
    canaries,
    changing_email,
    closing,
    inviting,
    resetting_password,
    retention,
    signing_in,
    signing_up,
    visiting,
)
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants
from tenants.exporting import ordering
from tenants.rest import idempotency
from tenants.sessions import SessionStore
from tenants.tasking import TenantTask
from tenants.webhooks import delivering, disabling, forgetting, promising, publishing


@shared_task(name="tenants.sound_off", tenant_mode=None)
def sound_off() -> int:
    """Look, as some tenants in turn, whether any can see another's rows; how many breaches were found."""
    return len(canaries.sound_off().breaches)


# A mail server may be away for a while: tried for about an hour.
_PATIENT: Final[dict[str, Any]] = {
    "autoretry_for": (OSError,),
    "retry_backoff": 30,
    "retry_backoff_max": 1_800,
    "max_retries": 7,
}


@shared_task(name="tenants.send_invitation", bind=True, tenant_mode="manual", **_PATIENT)
def send_invitation(self: TenantTask, invitation_id: str) -> bool:
    """Write to somebody who was invited; whether a letter went."""
    return inviting.write(self.tenant, uuid.UUID(invitation_id))


@shared_task(name="tenants.send_password_reset", tenant_mode=None, **_PATIENT)
def send_password_reset(email: str) -> bool:
    """Write to somebody who forgot their password, if there is such a person; whether a letter went."""
    return resetting_password.write(email)


@shared_task(name="tenants.send_sign_up", tenant_mode=None, **_PATIENT)
def send_sign_up(company: str, email: str) -> bool:
    """Write to somebody who wants an account for a company; whether a letter went."""
    return signing_up.write(company, email)


@shared_task(name="tenants.send_email_change", bind=True, tenant_mode="manual", **_PATIENT)
def send_email_change(self: TenantTask, user_id: str, new: str) -> bool:
    """Have a new email confirmed; whether a letter went."""
    return changing_email.write(self.tenant, uuid.UUID(user_id), new)


@shared_task(name="tenants.send_email_changed", tenant_mode=None, **_PATIENT)
def send_email_changed(old: str, new: str) -> bool:
    """Tell the old email; whether a letter went."""
    return changing_email.tell_old(old, new)


@shared_task(name="tenants.end_staff_visits", tenant_mode=None)
def end_staff_visits() -> int:
    """Record the end of visits of platform staff whose time ran out; how many."""
    return visiting.end_overdue()


@shared_task(name="tenants.note_failed_sign_in", tenant_mode=None)
def note_failed_sign_in(email: str, ip: str | None) -> bool:
    """Record a wrong password where the email is somebody's; whether it was recorded."""
    return signing_in.note_failure(email, ip)


@shared_task(name="tenants.forget_idempotency_keys", tenant_mode=None)
def forget_idempotency_keys() -> int:
    """Delete what was kept of requests for long enough; how many."""
    forgotten = 0
    for tenant in all_tenants():
        with acting_as(tenant):
            forgotten += idempotency.forget_expired()
    return forgotten


@shared_task(name=publishing.TASK, bind=True, tenant_mode="manual")
def deliver_webhooks(self: TenantTask, endpoint_id: str) -> int:
    """Tell an endpoint what it is to be told by now; how many attempts were made."""
    return delivering.work(self.tenant, uuid.UUID(endpoint_id))


@shared_task(name="tenants.sweep_webhooks", tenant_mode=None)
def sweep_webhooks() -> int:
    """Send the endpoints whose time has come to workers, and the letters that are due; how many endpoints."""
    disabling.send_notices()
    return promising.sweep()


@shared_task(name="tenants.forget_webhooks", tenant_mode=None)
def forget_webhooks() -> int:
    """Delete what was told long ago; how many events."""
    return forgetting.forget_old()


@shared_task(name="tenants.delete_old", tenant_mode=None)
def delete_old() -> int:
    """Delete what tenants keep no longer; how many rows."""
    return retention.delete_old_of_everybody()


@shared_task(name="tenants.clear_sessions", tenant_mode=None)
def clear_sessions() -> None:
    """Delete the sessions of browsers that have expired, of every tenant and of the platform's own people."""
    SessionStore.clear_expired()
    for tenant in all_tenants(closed=True):
        with acting_as(tenant):
            SessionStore.clear_expired()


@shared_task(name="tenants.send_closed", tenant_mode=None, **_PATIENT)
def send_closed(tenant_id: str, schema: str) -> int:
    """Tell the owners of a closed account the way back; how many letters went. A closed tenant has no tasks of its own:
    its name leads nowhere."""
    return closing.write(TenantRef(uuid.UUID(tenant_id), schema))


@shared_task(name=ordering.TASK, bind=True, tenant_mode="manual")
def write_export(self: TenantTask, export_id: str) -> bool:
    """Write a tenant's archive; whether this run did."""
    return ordering.carry_out(self.tenant, uuid.UUID(export_id))


@shared_task(name="tenants.sweep_exports", tenant_mode=None)
def sweep_exports() -> int:
    """Take up exports that nobody writes, and delete archives whose week is over; how many."""
    return ordering.sweep()
