import django.db.models.deletion
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.rls import GuardTable


class Migration(migrations.Migration):
    dependencies = [("tenants", "0012_staff_second_factor")]

    operations = [
        migrations.CreateModel(
            name="ErasureReceipt",
            fields=[
                ("id", models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ("subject", models.UUIDField()),
                ("requested_by", models.CharField(db_default="", default="", max_length=80)),
                ("counted", models.JSONField(db_default=tenants.ownership.jsonb_default("{}"), default=dict)),
                ("remaining", models.JSONField(db_default=tenants.ownership.jsonb_default("{}"), default=dict, editable=False)),
                ("finished_at", models.DateTimeField(null=True)),
                ("tenant", models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant")),
            ],
            options={
                "db_table": "erasure_receipts",
                "ordering": ["-id"],
                "abstract": False,
                "indexes": [models.Index(fields=["tenant", "-id"], name="erasure_receipts_newest")],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="erasurereceipt_of_tenant"),
                    models.UniqueConstraint(fields=("tenant", "subject"), name="erasure_receipts_once"),
                ],
            },
        ),
        GuardTable("ErasureReceipt"),
    ]
