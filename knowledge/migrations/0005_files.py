import django.db.models.deletion
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.rls import GuardTable, SameTenantKey


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0002_guards"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                ("id", models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ("sha256", models.CharField(max_length=64)),
                ("size", models.PositiveIntegerField()),
                ("tenant", models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant")),
            ],
            options={"db_table": "knowledge_files", "abstract": False},
        ),
        migrations.AddConstraint(
            model_name="storedfile",
            constraint=models.UniqueConstraint(fields=("tenant", "id"), name="storedfile_of_tenant"),
        ),
        migrations.AddConstraint(
            model_name="storedfile",
            constraint=models.UniqueConstraint(fields=("tenant", "sha256"), name="knowledge_files_sha256"),
        ),
        migrations.AddField(
            model_name="documentversion",
            name="file",
            field=tenants.ownership.SameTenantForeignKey(database_action="NO ACTION", db_index=False, null=True, on_delete=django.db.models.deletion.DO_NOTHING, related_name="versions", to="knowledge.storedfile"),
        ),
        migrations.AddField(
            model_name="documentversion",
            name="file_name",
            field=models.CharField(db_default="", default="", max_length=200),
        ),
        migrations.AddField(
            model_name="documentversion",
            name="url",
            field=models.CharField(db_default="", default="", max_length=2000),
        ),
        migrations.AddIndex(
            model_name="documentversion",
            index=models.Index(condition=models.Q(("file__isnull", False)), fields=["tenant", "file"], name="document_versions_by_file"),
        ),
        GuardTable("StoredFile"),
        SameTenantKey("DocumentVersion", "file"),
    ]
