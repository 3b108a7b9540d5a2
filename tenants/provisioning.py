"""A tenant with all that it starts with. What that is belongs to rooms above this one: each adds its part."""

import uuid
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from kernel.ids import uuid7
from tenants.context import TenantRef, acting_as
from tenants.creating import create_tenant
from tenants.models import POOL_SCHEMA, Plan, Tenant, TenantStatus


@dataclass(frozen=True, slots=True)
class Start:
    """What is known of a new tenant besides its row: the websites that its first widget may be shown on (origins)."""

    tenant: Tenant
    websites: tuple[str, ...] = ()


Deed = Callable[[Start], None]
_deeds: Final[list[Deed]] = []


def on_new_tenant(deed: Deed) -> None:
    """Have `deed` called inside `acting_as(the new tenant)`, in the transaction that makes it. For upper rooms."""
    _deeds.append(deed)


def provision(
    name: str,
    slug: str,
    *,
    plan: Plan = Plan.STARTER,
    status: TenantStatus = TenantStatus.ACTIVE,
    schema_name: str = POOL_SCHEMA,
    settings: dict[str, object] | None = None,
    websites: Sequence[str] = (),
    tenant_id: uuid.UUID | None = None,
) -> Tenant:
    """A new tenant with its first personality, widget and budget, all of it or nothing; people are added by the caller,
    who may be inside `acting_as` of `tenant_id` already.

    Raises what `create_tenant` does, and InvalidInput naming `domain_whitelist` for a website that is none.
    """
    ref = TenantRef(tenant_id or uuid7(), schema_name)
    with acting_as(ref):
        tenant = create_tenant(
            name,
            slug,
            plan=plan,
            status=status,
            schema_name=schema_name,
            settings=settings,
            tenant_id=ref.id,
        )
        for deed in _deeds:
            deed(Start(tenant, tuple(websites)))
    return tenant
