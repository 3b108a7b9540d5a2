import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.auditing.watching import WatchTable
from tenants.functions import CallersFunction
from tenants.rls import GuardTable

# The application adds and reads. Only the owner's role, for a tenant that is moved or erased, does more.
APPEND_ONLY = f"REVOKE UPDATE, DELETE, TRUNCATE ON audit_entries FROM {settings.APPLICATION_ROLE}"
NOT_APPEND_ONLY = f"GRANT UPDATE, DELETE ON audit_entries TO {settings.APPLICATION_ROLE}"


class Migration(migrations.Migration):

    dependencies = [
        ('tenants', '0007_every_tenant'),
    ]

    operations = [
        migrations.CreateModel(
            name='AuditEntry',
            fields=[
                ('id', models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ('actor_kind', models.CharField(max_length=8)),
                ('actor_id', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('actor_text', models.CharField(blank=True, db_default='', default='', max_length=400)),
                ('action', models.CharField(max_length=40)),
                ('target_kind', models.CharField(max_length=40)),
                ('target_id', models.CharField(blank=True, db_default='', default='', max_length=64)),
                ('target_text', models.CharField(blank=True, db_default='', default='', max_length=400)),
                ('before', models.JSONField(null=True)),
                ('after', models.JSONField(null=True)),
                ('ip', models.GenericIPAddressField(null=True)),
                ('at', models.DateTimeField(db_default=tenants.ownership.Now())),
                ('tenant', models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name='+', to='tenants.tenant')),
            ],
            options={
                'verbose_name_plural': 'audit entries',
                'db_table': 'audit_entries',
                'ordering': ['-id'],
                'abstract': False,
                'indexes': [models.Index(fields=['tenant', 'target_kind', 'target_id', '-id'], name='audit_entries_by_target'), models.Index(fields=['tenant', 'actor_id', '-id'], name='audit_entries_by_actor'), models.Index(fields=['tenant', 'at', '-id'], name='audit_entries_by_time')],
                'constraints': [models.UniqueConstraint(fields=('tenant', 'id'), name='auditentry_of_tenant')],
            },
        ),
        GuardTable('AuditEntry'),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY, hints={'model_name': 'auditentry'}),
        CallersFunction('audit_write(text, text, text, text, jsonb, jsonb)', 'tenants/sql/audit_write.sql'),
        CallersFunction('audit_row()', 'tenants/sql/audit_row.sql'),
        WatchTable('Tenant', named='name'),
        WatchTable('Domain', named='hostname'),
        WatchTable('User', named='email', masked=['password'], ignored=['last_login']),
        WatchTable('ApiKey', named='name', masked=['key_hash'], ignored=['last_used_at']),
        WatchTable('Invitation', named='email'),
        WatchTable('SecondFactor', masked=['secret'], ignored=['last_step']),
        WatchTable('RecoveryCode', masked=['code_hash'], only_changes=True),
    ]
