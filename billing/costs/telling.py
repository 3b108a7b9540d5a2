"""Letters about budgets: to the recipients that a budget names, else to the tenant's owners and admins."""

import logging
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Final

from django.db.models import F
from django.utils import timezone

from billing.costs.alerting import LETTER_WORK, is_cap
from billing.costs.alerts import BudgetAlert
from billing.costs.timezones import tenant_timezone
from kernel import clock
from tenants import due_work, mailing
from tenants.context import TenantRef, acting_as
from tenants.models import Tenant, User
from tenants.permissions import Role

AGAIN: Final = timedelta(minutes=5)
FOR: Final = timedelta(days=1)
"""How long a letter is tried that the mail server does not take."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Letter:
    """What is still to be sent of an alert."""

    to: Sequence[str]
    subject: str
    paragraphs: Sequence[str]
    is_late: bool


def send_letters() -> int:
    """Write what is due, of any tenant; how many letters went. Nobody gets one twice but where a worker dies in
    between; one that is not taken is tried again in five minutes, for a day."""
    sent = 0
    for work in due_work.overdue(LETTER_WORK, clock.now()):
        with acting_as(work.tenant):
            due_work.promise(LETTER_WORK, work.key, clock.now() + AGAIN)
            letter = _letter(work.tenant, work.key)
        try:
            sent += _send(work.tenant, work.key, letter) if letter else 0
        except OSError as error:
            logger.warning("could not send a letter of budget alert %s: %r", work.key, error)
            if letter and not letter.is_late:
                continue
        with acting_as(work.tenant):
            due_work.keep(LETTER_WORK, work.key)
    return sent


def _send(tenant: TenantRef, alert_id: uuid.UUID, letter: Letter) -> int:
    sent = 0
    for address in letter.to:
        if not mailing.send(address, letter.subject, *letter.paragraphs):
            continue
        sent += 1
        with acting_as(tenant):
            alert = BudgetAlert.objects.select_for_update().filter(pk=alert_id).first()
            if alert is not None:
                alert.metadata = {**alert.metadata, "mailed": [*alert.metadata.get("mailed", []), address]}
                alert.notifications_sent = F("notifications_sent") + 1
                alert.save(update_fields=["metadata", "notifications_sent", "updated_at"])
    return sent


def _letter(tenant: TenantRef, alert_id: uuid.UUID) -> Letter | None:
    alert = BudgetAlert.objects.select_related("budget").filter(pk=alert_id).first()
    if alert is None:
        return None
    company = Tenant.objects.get(pk=tenant.id).name
    budget = f"the {alert.get_period_display().lower()} budget of {_dollars(alert.budget.limit_usd)}"
    with timezone.override(tenant_timezone()):
        moment = timezone.localtime(alert.budget.period_end)
        begins = f"{moment:%Y-%m-%d %H:%M} ({timezone.get_current_timezone_name()})"
    what = f"{company} has spent {_dollars(alert.current_spend)} of {budget}."
    if is_cap(alert):
        subject, then = (
            f"{company}: {budget} is used up",
            f"Answers are refused until it begins anew at {begins}.",
        )
    else:
        subject = f"{company}: {alert.per_cent} % of {budget} are spent"
        then = f"It begins anew at {begins}. Nothing is refused: the budget only warns."
        if alert.budget.hard_cap:
            then = f"It begins anew at {begins}. When it is used up, answers are refused."
    told = [what, then, alert.metadata.get("customMessage") or ""]
    mailed = set(alert.metadata.get("mailed", []))
    return Letter(
        [address for address in _recipients(alert) if address not in mailed],
        subject,
        [paragraph for paragraph in told if paragraph],
        clock.now() - alert.triggered_at > FOR,
    )


def _recipients(alert: BudgetAlert) -> list[str]:
    named = list(dict.fromkeys(alert.metadata.get("recipients") or []))
    people = User.objects.filter(is_active=True, role__in=[Role.OWNER, Role.ADMIN]).order_by("email")
    return named or list(people.values_list("email", flat=True))


def _dollars(amount: Decimal) -> str:
    return f"${amount:,.2f}"
