from django.db import migrations, models

import tenants.ownership
from tenants.functions import CallersFunction


class Migration(migrations.Migration):
    dependencies = [("billing", "0003_budget_functions")]

    operations = [
        migrations.AddField(
            "costevent", "cost_given", models.BooleanField(default=False, db_default=False, editable=False)
        ),
        migrations.AddField(
            "costsummary", "is_final", models.BooleanField(default=False, db_default=False, editable=False)
        ),
        migrations.AddField(
            "costsummary",
            "latency_digest",
            models.JSONField(
                default=dict,
                blank=True,
                editable=False,
                db_default=tenants.ownership.jsonb_default("{}"),
            ),
        ),
        migrations.AddField(
            "rollupwatermark", "layout", models.PositiveSmallIntegerField(default=0, db_default=0)
        ),
        migrations.RemoveConstraint("costsummary", "cost_summaries_once"),
        migrations.AddConstraint(
            "costsummary",
            models.UniqueConstraint(
                fields=[
                    "tenant",
                    "period",
                    "period_start",
                    "service",
                    "provider",
                    "model",
                    "feature",
                    "is_final",
                ],
                name="cost_summaries_once",
            ),
        ),
        CallersFunction("first_moment(date, text)", "billing/sql/first_moment.sql"),
        CallersFunction("has_budgets(uuid)", "billing/sql/has_budgets.sql"),
    ]
