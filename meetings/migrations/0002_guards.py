from django.db import migrations

from tenants.rls import GuardTable, SameTenantKey


class Migration(migrations.Migration):
    dependencies = [("meetings", "0001_initial"), ("tenants", "0002_guards")]

    operations = [GuardTable("Meeting"), SameTenantKey("Meeting", "created_by")]
