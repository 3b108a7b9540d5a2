import django.db.models.deletion
from django.db import migrations, models

import tenants.context
from tenants.rls import GuardTable

KINDS = [("codes", "Scan of codes"), ("hnsw", "HNSW")]
STATUSES = [
    ("pending", "Pending"),
    ("copying", "Copying"),
    ("indexing", "Indexing"),
    ("attaching", "Attaching"),
    ("detaching", "Detaching"),
    ("done", "Done"),
    ("failed", "Failed"),
]


class Migration(migrations.Migration):
    dependencies = [
        ("knowledge", "0005_files"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        migrations.CreateModel(
            name="VectorIndex",
            fields=[
                ("tenant", models.OneToOneField(default=tenants.context.current_tenant_id, on_delete=django.db.models.deletion.CASCADE, primary_key=True, related_name="+", serialize=False, to="tenants.tenant")),
                ("kind", models.CharField(choices=KINDS, db_default="codes", default="codes", max_length=5)),
                ("wanted", models.CharField(choices=KINDS, db_default="codes", default="codes", max_length=5)),
                ("status", models.CharField(choices=STATUSES, db_default="done", default="done", max_length=9)),
                ("progress", models.FloatField(db_default=1.0, default=1.0)),
                ("error", models.TextField(db_default="", default="")),
                ("attempts", models.PositiveIntegerField(db_default=0, default=0)),
                ("chunks", models.PositiveIntegerField(db_default=0, default=0)),
                ("started_at", models.DateTimeField(null=True)),
                ("finished_at", models.DateTimeField(null=True)),
            ],
            options={"db_table": "knowledge_vector_indexes"},
        ),
        migrations.AddConstraint(
            model_name="vectorindex",
            constraint=models.CheckConstraint(condition=models.Q(("kind__in", ["codes", "hnsw"]), ("wanted__in", ["codes", "hnsw"])), name="vector_indexes_kind_known"),
        ),
        migrations.AddConstraint(
            model_name="vectorindex",
            constraint=models.CheckConstraint(condition=models.Q(("status__in", [value for value, _ in STATUSES])), name="vector_indexes_status_known"),
        ),
        migrations.AddConstraint(
            model_name="vectorindex",
            constraint=models.CheckConstraint(condition=models.Q(("progress__gte", 0), ("progress__lte", 1)), name="vector_indexes_progress_share"),
        ),
        GuardTable("VectorIndex"),
    ]
