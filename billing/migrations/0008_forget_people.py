from django.conf import settings
from django.db import migrations

# Of an event's columns those that may name a person; what it cost, when and for what still never changes.
COLUMNS = "user_ref, metadata, trace_id, span_id, parent_span_id"
MAY_FORGET = f"GRANT UPDATE ({COLUMNS}) ON cost_events TO {settings.APPLICATION_ROLE}"
MAY_NOT = f"REVOKE UPDATE ({COLUMNS}) ON cost_events FROM {settings.APPLICATION_ROLE}"


class Migration(migrations.Migration):
    dependencies = [("billing", "0007_audited")]

    operations = [migrations.RunSQL(MAY_FORGET, MAY_NOT, hints={"model_name": "costevent"})]
