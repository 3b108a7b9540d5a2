from django.db import migrations

from tenants.lookup import LookupFunction


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0006_second_factor'),
    ]

    operations = [
        LookupFunction('every_tenant_id(uuid, integer)', 'tenants/sql/every_tenant_id.sql'),
    ]
