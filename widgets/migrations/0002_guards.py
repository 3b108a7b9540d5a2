from django.db import migrations

from tenants.rls import GuardTable, SameTenantKey

KEYS = (
    ("PersonalityVersion", "personality"),
    ("Widget", "personality"),
    ("Visitor", "widget"),
    ("Session", "widget"),
    ("Session", "meeting"),
    ("Session", "visitor"),
    ("Session", "assignee"),
    ("Message", "session"),
    ("Message", "author"),
    ("AnswerRun", "session"),
)


class Migration(migrations.Migration):
    dependencies = [
        ("widgets", "0001_initial"),
        ("meetings", "0002_guards"),
        ("tenants", "0002_guards"),
    ]

    operations = [
        *(
            GuardTable(name)
            for name in (
                "Personality", "PersonalityVersion", "Widget", "Visitor", "Session", "Message", "AnswerRun",
            )
        ),
        *(SameTenantKey(model, field) for model, field in KEYS),
    ]
