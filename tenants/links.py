"""Links that prove something of whoever opens them: signed, for one purpose, for a time.

They name the tenant, because a link is opened before anybody knows it. Each is used up by what it does: it carries
something (`proof`) that its deed changes.
"""

import uuid
from datetime import timedelta
from typing import Any, Final

from django.conf import settings
from django.core import signing

from kernel.errors import FrontdeskError
from tenants.context import TenantRef
from tenants.directory import resolve_tenant
from tenants.models import KeyKind

GONE: Final = "This link was used, has expired, or a newer one was sent. Ask for another."


class LinkInvalid(FrontdeskError):
    """The link is forged, used or too old; which of them is not said."""

    code = "link_invalid"

    def __init__(self) -> None:
        super().__init__(GONE)


def link(page: str, token: str) -> str:
    """The address of `page` with the token. In its query: paths are written to logs and queries are not."""
    return f"{settings.BASE_URL}/account/{page}/?token={token}"


def issue(purpose: str, tenant: TenantRef | None, **values: Any) -> str:
    """A token for `purpose` that says `values`; without a tenant it is of one of the platform's people."""
    return signing.dumps({**values, "tenant": tenant.id.hex if tenant else ""}, salt=f"frontdesk.{purpose}")


def read(purpose: str, token: str, lifetime: timedelta) -> tuple[TenantRef, dict[str, Any]]:
    """Whose token this is and what it says. Raises LinkInvalid."""
    tenant, values = read_account(purpose, token, lifetime)
    if tenant is None:
        raise LinkInvalid
    return tenant, values


def read_account(purpose: str, token: str, lifetime: timedelta) -> tuple[TenantRef | None, dict[str, Any]]:
    """The same, for tokens that may be of the platform's people: those have no tenant. Raises LinkInvalid."""
    identifier, values = said(purpose, token, lifetime)
    tenant = resolve_tenant(KeyKind.TENANT, str(identifier)) if identifier else None
    if identifier and tenant is None:
        raise LinkInvalid
    return tenant, values


def said(purpose: str, token: str, lifetime: timedelta) -> tuple[uuid.UUID | None, dict[str, Any]]:
    """The id of the token's tenant, which need not exist (yet), or None, and what it says. Raises LinkInvalid."""
    try:
        values: dict[str, Any] = signing.loads(token, salt=f"frontdesk.{purpose}", max_age=lifetime)
    except signing.BadSignature as error:
        raise LinkInvalid from error
    tenant = values.pop("tenant")
    return uuid.UUID(hex=tenant) if tenant else None, values
