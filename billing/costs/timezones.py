"""In which time zone a tenant's days begin."""

import logging
import zoneinfo

from tenants.context import require_tenant
from tenants.models import Tenant

UTC = "UTC"
logger = logging.getLogger(__name__)


def tenant_timezone() -> str:
    """The acting tenant's zone by its IANA name (settings.timezone); UTC where none, or no such zone, is set."""
    name = Tenant.objects.values_list("settings__timezone", flat=True).get(pk=require_tenant().id)
    if not name:
        return UTC
    try:
        return zoneinfo.ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        logger.warning(
            "tenant %s has an unknown time zone %r; its days begin in UTC", require_tenant().id, name
        )
        return UTC
