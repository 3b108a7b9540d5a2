"""A tenant's own settings: its name, where its days begin, its language, which domains its widgets may be shown on,
what its visitors may cost."""

import re
import zoneinfo
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from kernel.errors import FieldError, InvalidInput
from tenants.context import require_tenant
from tenants.models import Tenant
from tenants.spend_caps import ALLOWED, CAPS, CapName, is_cap

MAX_NAME: Final = 120
MAX_DOMAINS: Final = 50
RETENTION: Final = (1, 3650)
"""Days that conversations may be kept."""
DOMAIN: Final = re.compile(r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
LOCALE: Final = re.compile(r"([A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*)?")

Check = Callable[[Sequence[str]], None]
_domain_checks: list[Check] = []


def checks_domains(check: Check) -> None:
    """Have `check` called, inside `acting_as`, with the domains that are to be the only allowed ones (none: all are);
    it raises InvalidInput naming `allowed_domains` where something of the tenant's lies outside. For upper rooms."""
    _domain_checks.append(check)


def configure_tenant(
    *,
    name: str,
    timezone: str,
    locale: str,
    allowed_domains: Sequence[str],
    retention_days: int | None,
    spend_caps: Mapping[CapName, str],
) -> Tenant:
    """The acting tenant with these settings; what else its settings hold stays. Budgets and days follow a change of the
    time zone by themselves (billing listens to the row).

    `spend_caps` are dollars, empty for the installation's. Raises InvalidInput naming each field that is not allowed.
    """
    domains = list(dict.fromkeys(domain.strip().lower() for domain in allowed_domains))
    errors = [
        FieldError(field, message)
        for field, message in (
            ("name", _name(name)),
            ("timezone", _timezone(timezone)),
            ("locale", "" if LOCALE.fullmatch(locale) else "must be such as en or de-AT, or empty"),
            ("retention_days", _retention(retention_days)),
        )
        if message
    ]
    errors += _domains(domains)
    errors += [
        FieldError(f"spend_caps.{CAPS[name]}", ALLOWED)
        for name, text in spend_caps.items()
        if not is_cap(text)
    ]
    if errors:
        raise InvalidInput("the settings are not valid", errors=errors)
    for check in _domain_checks:
        check(domains)
    tenant = Tenant.objects.select_for_update().get(pk=require_tenant().id)
    tenant.name = name.strip()
    changed: dict[str, Any] = {
        "timezone": timezone,
        "locale": locale,
        "allowedDomains": domains,
        "retentionDays": retention_days,
        **{CAPS[cap]: text for cap, text in spend_caps.items()},
    }
    kept = {key: value for key, value in tenant.settings.items() if key not in changed}
    tenant.settings = kept | {key: value for key, value in changed.items() if value not in ("", [], None)}
    tenant.save(update_fields=["name", "settings", "updated_at"])
    return tenant


def _name(name: str) -> str:
    return "" if 0 < len(name.strip()) <= MAX_NAME else f"must have 1 to {MAX_NAME} characters"


def timezones() -> list[str]:
    """The names of all places in the time zone database."""
    return sorted(zoneinfo.available_timezones() - {"Factory", "localtime", "posixrules"})


def _timezone(timezone: str) -> str:
    known = not timezone or timezone in timezones()
    return "" if known else "must be a time zone such as Europe/Berlin, or empty for UTC"


def _retention(days: int | None) -> str:
    low, high = RETENTION
    return "" if days is None or low <= days <= high else f"must be from {low} to {high:,} days, or empty"


def _domains(domains: Sequence[str]) -> list[FieldError]:
    if len(domains) > MAX_DOMAINS:
        return [FieldError("allowed_domains", f"at most {MAX_DOMAINS} domains")]
    return [
        FieldError(
            f"allowed_domains.{index}", "must be a domain such as acme.com, without https:// or a path"
        )
        for index, domain in enumerate(domains)
        if not DOMAIN.fullmatch(domain)
    ]
