from django.conf import settings
from django.db import migrations

from tenants.rls import GuardTable, SameTenantKey

# The ledger only grows. What a provider's invoice says may be written beside what we reckoned, nothing else.
APPEND_ONLY = f"""
    REVOKE UPDATE, DELETE ON cost_events FROM {settings.APPLICATION_ROLE};
    GRANT UPDATE (verified_cost_usd) ON cost_events TO {settings.APPLICATION_ROLE};
"""
NOT_APPEND_ONLY = f"""
    REVOKE UPDATE (verified_cost_usd) ON cost_events FROM {settings.APPLICATION_ROLE};
    GRANT UPDATE, DELETE ON cost_events TO {settings.APPLICATION_ROLE};
"""

# Beside tenant_isolation, which covers a tenant's negotiated prices: everybody reads the public ones, and only the
# owner of the tables, who runs this migration and `manage.py prices`, writes them.
PUBLIC_PRICES = """
    CREATE POLICY public_prices ON model_prices FOR SELECT USING (tenant_id IS NULL);
    CREATE POLICY public_prices_kept ON model_prices TO CURRENT_USER
        USING (tenant_id IS NULL) WITH CHECK (tenant_id IS NULL);
"""
NO_PUBLIC_PRICES = """
    DROP POLICY public_prices_kept ON model_prices;
    DROP POLICY public_prices ON model_prices;
"""


class Migration(migrations.Migration):
    dependencies = [
        ("billing", "0001_initial"),
        ("widgets", "0002_guards"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        *(
            GuardTable(name)
            for name in ("CostEvent", "ModelPrice", "CostSummary", "RollupWatermark", "Budget", "BudgetHold")
        ),
        SameTenantKey("CostEvent", "session"),
        SameTenantKey("CostEvent", "message"),
        SameTenantKey("CostEvent", "corrects"),
        SameTenantKey("BudgetHold", "budget"),
        migrations.RunSQL(APPEND_ONLY, NOT_APPEND_ONLY, hints={"model_name": "costevent"}),
        migrations.RunSQL(PUBLIC_PRICES, NO_PUBLIC_PRICES, hints={"model_name": "modelprice"}),
    ]
