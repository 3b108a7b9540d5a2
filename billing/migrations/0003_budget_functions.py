from pathlib import Path

from django.conf import settings
from django.db import migrations

SQL = Path(__file__).resolve().parent.parent / "sql"

# Once, in public: they read the tables of whichever schema the caller acts in.
IN_PUBLIC = {"model_name": "modelprice"}


def function(signature: str, path: str) -> migrations.RunSQL:
    return migrations.RunSQL(
        [
            (SQL / path).read_text(),
            f"GRANT EXECUTE ON FUNCTION public.{signature} TO {settings.APPLICATION_ROLE}",
        ],
        f"DROP FUNCTION public.{signature}",
        hints=IN_PUBLIC,
    )


class Migration(migrations.Migration):
    dependencies = [("billing", "0002_guards")]

    operations = [
        function("reserve_budgets(uuid, uuid, numeric, bigint, timestamptz)", "reserve_budgets.sql"),
        function("settle_budgets(uuid)", "settle_budgets.sql"),
    ]
