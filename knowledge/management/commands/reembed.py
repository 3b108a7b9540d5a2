"""Order new vectors for documents that were embedded with another model."""

import time
from typing import Any, Final

from django.core.management.base import BaseCommand, CommandError, CommandParser

from ai.embedding import embedder
from knowledge import reembedding
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants, resolve_tenant
from tenants.models import KeyKind, Tenant

EVERY_S: Final = 1.0


class Command(BaseCommand):
    help = "Have the worker embed anew what another model embedded; beat does the same by itself every ten minutes."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--tenant", metavar="SLUG", help="this tenant only; default: all")
        parser.add_argument("--wait", action="store_true", help="show the progress until nothing is left")

    def handle(self, *args: Any, **options: Any) -> None:
        waiting: dict[TenantRef, tuple[str, int]] = {}
        for tenant in self._tenants(options["tenant"]):
            with acting_as(tenant):
                count = reembedding.order()
                if count:
                    slug = Tenant.objects.values_list("slug", flat=True).get(pk=tenant.id)
                    waiting[tenant] = (slug, count)
                    self.stdout.write(f"{slug}: {count} documents get vectors of {embedder().model}")
        if not waiting:
            self.stdout.write(f"every vector is of {embedder().model}")
        while options["wait"] and waiting:
            time.sleep(EVERY_S)
            for tenant, (slug, count) in list(waiting.items()):
                with acting_as(tenant):
                    left = reembedding.remaining()
                self.stdout.write(f"{slug}: {count - left} of {count} documents")
                if not left:
                    del waiting[tenant]

    def _tenants(self, slug: str | None) -> list[TenantRef]:
        if slug is None:
            return list(all_tenants())
        tenant = resolve_tenant(KeyKind.SLUG, slug)
        if tenant is None:
            raise CommandError(f"there is no tenant {slug}")
        return [tenant]
