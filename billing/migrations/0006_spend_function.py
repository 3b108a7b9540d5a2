from django.db import migrations

from tenants.functions import CallersFunction


class Migration(migrations.Migration):
    dependencies = [("billing", "0004_summaries")]

    operations = [CallersFunction("spend_budgets(uuid[], uuid)", "billing/sql/spend_budgets.sql")]
