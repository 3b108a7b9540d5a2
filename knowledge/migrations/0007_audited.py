from django.db import migrations

from tenants.auditing.watching import WatchTable


class Migration(migrations.Migration):

    dependencies = [
        ('knowledge', '0006_vector_indexes'),
        ('tenants', '0008_audit_entries'),
    ]

    operations = [
        # What was written is told by its digest; how far its processing is, is no change of anybody's.
        WatchTable(
            'Document',
            named='title',
            ignored=['status', 'error', 'progress', 'version', 'language', 'embedding'],
        ),
    ]
