from django.db import migrations

from tenants.lookup import LookupFunction
from tenants.rls import LOOKUP_ROLE

# What the look-up role may read of tenants grows by what staff choose by.
SEEN = f"GRANT SELECT (name, slug) ON tenants TO {LOOKUP_ROLE}"
UNSEEN = f"REVOKE SELECT (name, slug) ON tenants FROM {LOOKUP_ROLE}"


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0014_enter_tenant'),
    ]

    operations = [
        migrations.RunSQL(SEEN, UNSEEN, hints={'model_name': 'tenant'}),
        LookupFunction('tenants_called(text, integer)', 'tenants/sql/tenants_called.sql'),
    ]
