"""In which time zone a tenant's days begin."""

import logging
import zoneinfo
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

from tenants.context import require_tenant
from tenants.models import Tenant

UTC = "UTC"
# Names in the time zone database that are no place.
NO_PLACES = frozenset({"Factory", "localtime", "posixrules"})
logger = logging.getLogger(__name__)


def tenant_timezone() -> str:
    """The acting tenant's zone by its IANA name (settings.timezone); UTC where none, or no such zone, is set."""
    name = Tenant.objects.values_list("settings__timezone", flat=True).get(pk=require_tenant().id)
    if not name:
        return UTC
    try:
        if name not in NO_PLACES:
            return ZoneInfo(name).key
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        pass
    logger.warning("tenant %s has an unknown time zone %r; its days begin in UTC", require_tenant().id, name)
    return UTC


def first_moment(day: date, zone: ZoneInfo) -> datetime:
    """When `day` begins there, in UTC; as billing/sql/first_moment.sql has it. A date and a zone without a change of
    the clock at midnight: its midnight."""
    return datetime.combine(day, time(), zone).astimezone(ZoneInfo(UTC))
