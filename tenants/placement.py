"""Which schema a table lives in: per model, not per app. Tenant-owned tables stand in `pool` and in each dedicated
schema, directory tables in `public` only."""

from typing import Any, Final

from django.apps import apps
from django.db import connections
from django_tenants.routers import TenantSyncRouter
from django_tenants.utils import get_public_schema_name

# Our own tables outside the tenants' schemas, each with the reason why it must be found before, or without, a tenant.
DIRECTORY: Final[dict[str, str]] = {
    "tenants.tenant": "the list of tenants itself; each tenant sees its own row",
    "tenants.domain": "hostnames are unique over all tenants; each tenant sees its own",
    "tenants.user": "emails are unique over all tenants; each tenant sees its own people, the platform its staff",
    "tenants.authsession": "a browser's session is found before its tenant; each tenant sees its own",
    "tenants.securitykey": "the platform's staff have keys too; each tenant sees its own, the platform its staff's",
    "tenants.staffsecondfactor": "the platform's staff have no tenant's schema; each tenant would see its own",
    "tenants.staffrecoverycode": "the platform's staff have no tenant's schema; each tenant would see its own",
    "tenants.apikey": "key hashes are unique over all tenants; each tenant sees its own",
    "tenants.directorykey": "global uniqueness and the look-up before a tenant is known; each tenant sees its own",
    "tenants.duework": "which tenants have work due, found across tenants; each tenant sees its own",
    "billing.modelprice": "public price lists, the same for everybody; a negotiated price is its tenant's only",
}
# Tables of others that hold nobody's data.
UNOWNED: Final[dict[str, str]] = {
    "contenttypes": "Django's list of models",
    "auth": "Django's permission names; ours come from the role table",
    "migrations": "which migrations have run",
}


class PlacementRouter(TenantSyncRouter):  # type: ignore[misc]  # upstream ships no types
    """Lets a migration make a table only in the schemas that hold it."""

    def allow_migrate(
        self, db: str, app_label: str, model_name: str | None = None, **hints: Any
    ) -> bool | None:
        """Whether this operation runs in the schema being migrated; operations without a model run everywhere
        and choose for themselves."""
        in_public: bool = getattr(connections[db], "schema_name") == get_public_schema_name()  # noqa: B009 - our backend's own
        if app_label in UNOWNED:
            return in_public
        if model_name is None:
            return None
        return in_public == is_directory(app_label, model_name)


def is_directory(app_label: str, model_name: str) -> bool:
    """Whether the model's table stands in public. Models of libraries do."""
    label = f"{app_label}.{model_name.lower()}"
    if label in DIRECTORY:
        return True
    own_apps = {config.label for config in apps.get_app_configs() if getattr(config, "is_frontdesk", False)}
    return app_label not in own_apps
