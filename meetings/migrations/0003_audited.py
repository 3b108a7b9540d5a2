from django.db import migrations

from tenants.auditing.watching import WatchTable


class Migration(migrations.Migration):

    dependencies = [
        ('meetings', '0002_guards'),
        ('tenants', '0008_audit_entries'),
    ]

    operations = [
        WatchTable('Meeting', ignored=['recording', 'transcript'], only_by_somebody=True),
    ]
