"""The tenants that a command is for: the one named, or all."""

from collections.abc import Iterator

from django.core.management.base import CommandError, CommandParser

from tenants.context import TenantRef
from tenants.directory import all_tenants, resolve_tenant
from tenants.models import KeyKind


def add_tenant_argument(parser: CommandParser) -> None:
    """`--tenant SLUG`."""
    parser.add_argument("--tenant", metavar="SLUG", help="only this one; default: every tenant")


def chosen_tenants(slug: str | None) -> Iterator[TenantRef]:
    """The tenant of that slug, or every tenant. Raises CommandError where there is none."""
    if not slug:
        yield from all_tenants()
        return
    tenant = resolve_tenant(KeyKind.SLUG, slug)
    if tenant is None:
        raise CommandError(f"there is no tenant {slug}")
    yield tenant
