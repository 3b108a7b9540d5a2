from django.db import migrations

from tenants.functions import CallersFunction

FUNCTIONS = (
    (
        "append_message(uuid, uuid, uuid, text, uuid, text, jsonb, jsonb, text, uuid, jsonb)",
        "append_message.sql",
    ),
    (
        "promise_answer(uuid, uuid, integer, uuid, uuid, text, timestamptz, text, integer)",
        "promise_answer.sql",
    ),
    (
        "ask(uuid, uuid, uuid, timestamptz, uuid, uuid, text, jsonb, uuid, uuid, text, timestamptz, text, integer)",
        "ask.sql",
    ),
    ("speaker(uuid, uuid)", "speaker.sql"),
    ("end_answer(uuid, uuid, uuid, uuid, text, jsonb, text, jsonb, text, text)", "end_answer.sql"),
)


class Migration(migrations.Migration):
    dependencies = [("widgets", "0004_headless_visitors")]

    operations = [CallersFunction(signature, f"widgets/sql/{path}") for signature, path in FUNCTIONS]
