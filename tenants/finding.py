"""Finding a tenant by its slug also when it is closed and its slug leads nowhere: for commands."""

from kernel.errors import NotFound
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants, resolve_tenant
from tenants.models import KeyKind, Tenant


def tenant_called(slug: str) -> TenantRef:
    """The tenant of this slug; a closed or suspended one is looked for among all. Raises NotFound."""
    known = resolve_tenant(KeyKind.SLUG, slug)
    if known is not None:
        return known
    for ref in all_tenants(closed=True):
        with acting_as(ref):
            if Tenant.objects.filter(pk=ref.id, slug=slug).exists():
                return ref
    raise NotFound(f"There is no tenant {slug}.")
