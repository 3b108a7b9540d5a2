"""When a closed tenant may be erased, and where the receipt goes."""

import json
import logging
import os
from datetime import timedelta
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import Error as DatabaseError

from kernel import clock
from kernel.errors import Conflict
from tenants import due_work, erasing
from tenants.closing import GRACE, WORK, close, closed_at
from tenants.context import TenantRef, acting_as
from tenants.erasing import Report
from tenants.models import Tenant, TenantStatus

logger = logging.getLogger(__name__)


def refuse_too_early(ref: TenantRef) -> None:
    """Raise Conflict where the tenant is open, or was closed less than GRACE ago."""
    with acting_as(ref):
        tenant = Tenant.objects.get(pk=ref.id)
        if tenant.status != TenantStatus.CLOSED:
            raise Conflict(
                f"{tenant.slug} is not closed: close_tenant closes it, --now erases it all the same"
            )
        over = closed_at(tenant) + GRACE
        if over > clock.now():
            raise Conflict(
                f"{tenant.slug} may be reopened until {over:%Y-%m-%d}: --now erases it all the same"
            )


def erase_closed(ref: TenantRef, report: Report, target: Path | None = None) -> tuple[dict[str, Any], Path]:
    """Close the tenant if it is open, erase it, and write the receipt; the receipt and its file, which only this user
    can read."""
    with acting_as(ref):
        if Tenant.objects.get(pk=ref.id).status != TenantStatus.CLOSED:
            close()
    receipt = erasing.erase(ref, report)
    file = (
        target
        or settings.FRONTDESK_HOME / "receipts" / f"erased-{receipt['slug']}-{clock.now():%Y%m%d-%H%M%S}.json"
    )
    file.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as opened:
        json.dump(receipt, opened, indent=1)
    return receipt, file


def leftovers(receipt: dict[str, Any]) -> list[str]:
    """What a receipt says is left, by name; empty when all is gone."""
    return [name for name, counted in receipt["counted"].items() if counted["after"]]


def erase_due(report: Report) -> None:
    """maintain's part: erase the tenants that were closed ERASE_CLOSED_AFTER_DAYS ago; nobody where that is 0."""
    days: int = settings.ERASE_CLOSED_AFTER_DAYS
    if not days:
        return
    for work in due_work.overdue(WORK, clock.now() - timedelta(days=days), limit=1):
        try:
            receipt, file = erase_closed(work.tenant, lambda line: None)
        except DatabaseError as error:
            logger.warning("tenant %s is erased another time: %s", work.tenant.id, error)
        else:
            report(f"{receipt['slug']}: erased, the receipt is in {file}")
