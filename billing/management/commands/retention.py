from typing import Any

from django.core.exceptions import ImproperlyConfigured
from django.core.management.base import BaseCommand, CommandError, CommandParser

from billing.costs import ageing
from kernel.errors import FrontdeskError
from tenants import retention
from tenants.auditing import doing_as, operator
from tenants.context import TenantRef, acting_as
from tenants.directory import all_tenants
from tenants.finding import tenant_called
from tenants.models import Tenant
from tenants.owner import owner_connection


class Command(BaseCommand):
    help = "Delete what tenants keep no longer (beat and maintain do it every hour); --dry-run says what would go."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("slug", nargs="?", help="of this tenant only")
        parser.add_argument("--dry-run", action="store_true", help="delete nothing, and say what would go")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            tenants = [tenant_called(options["slug"])] if options["slug"] else list(all_tenants())
            with doing_as(operator()):
                for tenant in tenants:
                    self._visit(tenant, dry=options["dry_run"])
        except (FrontdeskError, ImproperlyConfigured) as refused:
            raise CommandError(str(refused)) from refused

    def _visit(self, tenant: TenantRef, *, dry: bool) -> None:
        with acting_as(tenant):
            slug, kept = Tenant.objects.get(pk=tenant.id).slug, retention.kept_for(tenant)
        if kept is None:
            self.stdout.write(f"{slug}: keeps everything")
            return
        counted = retention.due(tenant) if dry else retention.delete_old(tenant)
        if dry:
            counted["cost events"] = ageing.old_events(tenant)
        else:
            with owner_connection():
                counted["cost events"] = ageing.delete_old_events(tenant)
        told = ", ".join(f"{number:,} {name}" for name, number in counted.items())
        self.stdout.write(f"{slug}: keeps {kept.days} days, {'would delete' if dry else 'deleted'} {told}")
