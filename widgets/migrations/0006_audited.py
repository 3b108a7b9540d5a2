from django.db import migrations

from tenants.auditing.watching import WatchTable


class Migration(migrations.Migration):

    dependencies = [
        ('widgets', '0005_answer_functions'),
        ('tenants', '0008_audit_entries'),
    ]

    operations = [
        WatchTable('Widget', named='name', masked=['identity_secret']),
        WatchTable('Personality', named='name'),
        # The chat writes these too. What is counted changes with each message, and what is known of a visitor is personal:
        # neither belongs into a record that nobody may change.
        WatchTable(
            'Session',
            ignored=['cost_usd', 'tool_count', 'last_seq', 'read_seq', 'last_message_at', 'metadata'],
            only_by_somebody=True,
        ),
        WatchTable('Feedback', ignored=['comment'], only_by_somebody=True),
    ]
