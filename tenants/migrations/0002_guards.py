from django.db import migrations

from tenants.lookup import LookupFunction
from tenants.rls import GuardTable, SameTenantKey


class Migration(migrations.Migration):
    dependencies = [("tenants", "0001_initial")]

    operations = [
        GuardTable("Tenant", column="id", lookup=["id", "schema_name", "status"]),
        GuardTable("Domain"),
        GuardTable("User", platform_rows=True),
        GuardTable("AuthSession", platform_rows=True),
        GuardTable("ApiKey"),
        GuardTable("DirectoryKey", lookup=["kind", "key", "tenant_id"]),
        GuardTable("DueWork", lookup=["kind", "key", "tenant_id", "due_at"]),
        SameTenantKey("AuthSession", "user"),
        SameTenantKey("ApiKey", "created_by"),
        LookupFunction("resolve_tenant(text, text)", "tenants/sql/resolve_tenant.sql"),
        LookupFunction("tenant_ids(uuid, integer)", "tenants/sql/tenant_ids.sql"),
        LookupFunction("due_work_before(text, timestamptz, integer)", "tenants/sql/due_work_before.sql"),
    ]
