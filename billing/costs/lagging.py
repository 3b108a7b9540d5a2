"""How far the summaries are behind the ledger."""

from django.db import connection

from billing.costs.models import RollupWatermark
from billing.costs.rollup import FROM_THE_BEGINNING
from billing.costs.statements import statement


def lag_seconds() -> float:
    """The age in seconds of the acting tenant's oldest event that is in no summary; 0.0 where all of them are."""
    folded_to = RollupWatermark.objects.values_list("folded_to", flat=True).first()
    with connection.cursor() as cursor:
        cursor.execute(
            statement("oldest_unfolded"),
            {"folded_to": str(FROM_THE_BEGINNING if folded_to is None else folded_to)},
        )
        row = cursor.fetchone()
    return max(0.0, float(row[0])) if row else 0.0
