from django.db import migrations, models

CONDITION = models.Q(("external_id__isnull", False), ("verified", True))


class Migration(migrations.Migration):
    """A visitor without a widget, for whom a tenant's program talks, is one per external id too."""

    dependencies = [("widgets", "0003_feedback")]

    operations = [
        migrations.RemoveConstraint(model_name="visitor", name="visitors_external_id_once"),
        migrations.AddConstraint(
            model_name="visitor",
            constraint=models.UniqueConstraint(
                condition=CONDITION,
                fields=("tenant", "widget", "external_id"),
                name="visitors_external_id_once",
                nulls_distinct=False,
            ),
        ),
    ]
