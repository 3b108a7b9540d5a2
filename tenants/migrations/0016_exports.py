import django.db.models.deletion
import kernel.ids
import tenants.context
import tenants.ownership
from django.db import migrations, models
from tenants.rls import GuardTable


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0015_staff_visits'),
    ]

    operations = [
        migrations.CreateModel(
            name='Export',
            fields=[
                ('id', models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('created_at', models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ('updated_at', models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ('status', models.CharField(choices=[('pending', 'Pending'), ('running', 'Running'), ('ready', 'Ready'), ('failed', 'Failed'), ('expired', 'Expired')], db_default='pending', default='pending', max_length=8)),
                ('progress', models.FloatField(db_default=0.0, default=0.0)),
                ('requested_by', models.CharField(db_default='', default='', max_length=80)),
                ('rows', models.BigIntegerField(null=True)),
                ('files', models.BigIntegerField(null=True)),
                ('size', models.BigIntegerField(null=True)),
                ('error', models.CharField(blank=True, db_default='', default='', max_length=300)),
                ('attempts', models.PositiveSmallIntegerField(db_default=0, default=0)),
                ('lease_until', models.DateTimeField(null=True)),
                ('finished_at', models.DateTimeField(null=True)),
                ('expires_at', models.DateTimeField(null=True)),
                ('tenant', models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'db_table': 'exports',
                'ordering': ['-id'],
                'abstract': False,
                'indexes': [models.Index(fields=['tenant', '-id'], name='exports_newest')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'id'), name='export_of_tenant'), models.CheckConstraint(condition=models.Q(('status__in', ['pending', 'running', 'ready', 'failed', 'expired'])), name='exports_status_known'), models.UniqueConstraint(condition=models.Q(('status__in', ('pending', 'running'))), fields=('tenant',), name='exports_one_under_way')],
            },
        ),
        GuardTable('Export'),
    ]
