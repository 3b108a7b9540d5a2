from django.db import migrations

from tenants.functions import CallersFunction


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0013_erasure_receipts'),
    ]

    operations = [
        CallersFunction('enter_tenant(text, text, text, bigint, text)', 'tenants/sql/enter_tenant.sql'),
    ]
