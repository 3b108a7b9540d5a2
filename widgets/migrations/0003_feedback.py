import django.db.models.deletion
from django.db import migrations, models

import kernel.ids
import tenants.context
import tenants.ownership
from tenants.rls import GuardTable, SameTenantKey


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0002_guards"),
        ("widgets", "0002_guards"),
    ]

    operations = [
        migrations.AddField(
            model_name="session",
            name="read_seq",
            field=models.PositiveIntegerField(db_default=0, default=0),
        ),
        migrations.CreateModel(
            name="Feedback",
            fields=[
                ("id", models.UUIDField(db_default=tenants.ownership.UUIDv7(), default=kernel.ids.uuid7, editable=False, primary_key=True, serialize=False)),
                ("created_at", models.DateTimeField(auto_now_add=True, db_default=tenants.ownership.Now())),
                ("updated_at", models.DateTimeField(auto_now=True, db_default=tenants.ownership.Now())),
                ("rating", models.SmallIntegerField(help_text="1: helpful, -1: not helpful")),
                ("comment", models.TextField(blank=True, db_default="", default="")),
                ("message", tenants.ownership.SameTenantForeignKey(database_action="CASCADE", db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="feedback", to="widgets.message")),
                ("tenant", models.ForeignKey(db_index=False, default=tenants.context.current_tenant_id, editable=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant")),
                ("visitor", tenants.ownership.SameTenantForeignKey(database_action="CASCADE", db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="feedback", to="widgets.visitor")),
            ],
            options={
                "verbose_name_plural": "feedback",
                "db_table": "feedback",
                "ordering": ["-id"],
                "abstract": False,
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="feedback_newest"),
                    models.Index(fields=["tenant", "visitor"], name="feedback_by_visitor"),
                ],
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "id"), name="feedback_of_tenant"),
                    models.UniqueConstraint(fields=("tenant", "message"), name="feedback_once"),
                    models.CheckConstraint(condition=models.Q(("rating__in", (1, -1))), name="feedback_rating_known"),
                ],
            },
        ),
        GuardTable("Feedback"),
        SameTenantKey("Feedback", "message"),
        SameTenantKey("Feedback", "visitor"),
    ]
