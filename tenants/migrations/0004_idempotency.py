import django.db.models.deletion
import django.db.models.expressions
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.rls import GuardTable


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0003_canaries'),
    ]

    operations = [
        migrations.CreateModel(
            name='IdempotencyRecord',
            fields=[
                ('id', models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ('caller', models.UUIDField()),
                ('key', models.CharField(max_length=255)),
                ('request_hash', models.CharField(max_length=64)),
                ('status', models.PositiveSmallIntegerField(null=True)),
                ('headers', models.JSONField(db_default=django.db.models.expressions.RawSQL("'{}'::jsonb", []), default=dict)),
                ('body', models.BinaryField(db_default=b'', default=b'')),
                ('lease_until', models.DateTimeField()),
                ('expires_at', models.DateTimeField()),
                ('tenant', models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'db_table': 'idempotency_records',
                'abstract': False,
                'indexes': [models.Index(fields=['tenant', 'expires_at'], name='idempotency_records_expiry')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'id'), name='idempotencyrecord_of_tenant'), models.UniqueConstraint(fields=('tenant', 'caller', 'key'), name='idempotency_records_once')],
            },
        ),
        GuardTable('IdempotencyRecord'),
    ]
