from django.db import migrations

from tenants.auditing.watching import WatchTable


class Migration(migrations.Migration):

    dependencies = [
        ('billing', '0006_spend_function'),
        ('tenants', '0008_audit_entries'),
    ]

    operations = [
        WatchTable('Budget', named='period', ignored=['spent', 'reserved', 'period_start', 'period_end']),
        WatchTable('ModelPrice', named='model'),
    ]
