import django.db.models.deletion
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.rls import GuardTable


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0002_guards'),
    ]

    operations = [
        migrations.CreateModel(
            name='Canary',
            fields=[
                ('id', models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ('tenant', models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'db_table': 'canaries',
                'abstract': False,
                'constraints': [models.UniqueConstraint(fields=('tenant', 'id'), name='canary_of_tenant'), models.UniqueConstraint(fields=('tenant',), name='canaries_one_each')],
            },
        ),
        GuardTable('Canary'),
    ]
