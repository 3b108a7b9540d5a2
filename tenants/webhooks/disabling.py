"""Endpoints that are told nothing any more, and the letter that says so to the tenant's owners and admins."""

import logging
import uuid
from datetime import timedelta
from typing import Final

from kernel import clock
from tenants import due_work, mailing
from tenants.context import TenantRef, acting_as
from tenants.models import Tenant, User
from tenants.permissions import Role
from tenants.webhooks.models import NOTICE_WORK, DisabledReason, WebhookEndpoint

PATIENCE: Final = timedelta(days=5)
"""How long an endpoint may do nothing but fail."""
MAIL_AGAIN: Final = timedelta(minutes=5)

logger = logging.getLogger(__name__)


def disable_if_hopeless(endpoint: WebhookEndpoint, *, is_gone: bool) -> None:
    """Disable an endpoint that says it is gone, or that has failed for PATIENCE without one success. Inside
    `acting_as`."""
    now = clock.now()
    failing = endpoint.failing_since is not None and now - endpoint.failing_since >= PATIENCE
    if not endpoint.is_active or not (is_gone or failing):
        return
    endpoint.is_active = False
    endpoint.disabled_reason = DisabledReason.GONE if is_gone else DisabledReason.FAILING
    endpoint.disabled_at = now
    endpoint.save(update_fields=["is_active", "disabled_reason", "disabled_at", "updated_at"])
    due_work.promise(NOTICE_WORK, endpoint.pk, now)
    logger.warning("webhook endpoint %s is disabled: %s", endpoint.pk, endpoint.disabled_reason)


def send_notices() -> int:
    """Write the letters that are due, of any tenant; how many went. One that the mail server does not take is tried
    again in five minutes; one to somebody who has had it may then come twice."""
    sent = 0
    for work in due_work.overdue(NOTICE_WORK, clock.now()):
        with acting_as(work.tenant):
            due_work.promise(NOTICE_WORK, work.key, clock.now() + MAIL_AGAIN)
            letter = _letter(work.tenant, work.key)
        try:
            sent += sum(mailing.send(to, *letter[1]) for to in letter[0]) if letter else 0
        except OSError as error:
            logger.warning("could not send the notice of webhook endpoint %s: %r", work.key, error)
            continue
        with acting_as(work.tenant):
            due_work.keep(NOTICE_WORK, work.key)
    return sent


def _letter(tenant: TenantRef, endpoint_id: uuid.UUID) -> tuple[list[str], tuple[str, ...]] | None:
    """To whom, and the subject and paragraphs; None where there is nothing to tell any more."""
    endpoint = WebhookEndpoint.objects.filter(pk=endpoint_id).exclude(disabled_reason="").first()
    if endpoint is None:
        return None
    people = User.objects.filter(is_active=True, role__in=[Role.OWNER, Role.ADMIN]).order_by("email")
    company = Tenant.objects.get(pk=tenant.id).name
    why = {
        DisabledReason.GONE: "It answered 410 Gone, which says that it wants no more.",
        DisabledReason.FAILING: f"Every attempt has failed since {endpoint.failing_since:%Y-%m-%d %H:%M} UTC.",
    }[DisabledReason(endpoint.disabled_reason)]
    return list(people.values_list("email", flat=True)), (
        f"A webhook of {company} was turned off",
        f"Frontdesk sends no more events to {endpoint.url}",
        why,
        "Once it answers again, turn it on in the admin under Webhooks. What was waiting goes out then if it is not "
        "older than three days; older deliveries can be replayed there. What happens until then is not kept for it.",
    )
