"""Inside a copy: conversations to list, and the statements that listing them takes; prints one JSON object.

    installation.run_module("benchmarks.rest_tenant", TENANT_ID, API_KEY)

`paths` are the two lists of goals.md; `statements` says for each which statements the product runs, in order, as text
with their values, each with whether it runs inside the tenant's context. The reference runs exactly these.
"""

import json
import sys
import uuid
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client

from tenants.context import TenantRef, acting_as, current_tenant
from widgets.models import Message, MessageRole, Session, Visitor, Widget

SESSIONS: Final = 200
MESSAGES: Final = 50
ANSWER: Final = "Every device has a warranty of three years from the day of delivery. " * 3


def converse() -> uuid.UUID:
    """200 sessions of the acting tenant, one of them with 50 messages: that one's id."""
    widget = Widget.objects.get()
    visitors = Visitor.objects.bulk_create([Visitor(widget=widget) for _ in range(SESSIONS)])
    metadata = {"userAgent": "Mozilla/5.0", "ip": "192.0.2.1", "page": "https://rest.example"}
    sessions = Session.objects.bulk_create(
        [Session(widget=widget, visitor=visitor, metadata=metadata) for visitor in visitors]
    )
    talkative = sessions[SESSIONS // 2]
    roles = (MessageRole.USER, MessageRole.ASSISTANT)
    Message.objects.bulk_create(
        [
            Message(session=talkative, seq=seq, role=roles[(seq + 1) % 2], content=ANSWER[: 40 + seq * 3])
            for seq in range(1, MESSAGES + 1)
        ]
    )
    return talkative.pk


def statements(path: str, key: str) -> list[dict[str, Any]]:
    """What the product sends to PostgreSQL for a GET of `path`, BEGIN and COMMIT apart."""
    sent: list[dict[str, Any]] = []

    def note(execute: Any, sql: Any, parameters: Any, many: bool, context: Any) -> Any:
        result = execute(sql, parameters, many, context)
        text = psycopg.ClientCursor(connection.connection).mogrify(sql, parameters)
        sent.append({"sql": text, "in_context": current_tenant() is not None})
        return result

    client = Client(headers={"Authorization": f"Bearer {key}", "Host": "localhost"})
    client.get(path)  # the first use of a key notes it
    with connection.execute_wrapper(note):
        response = client.get(path)
    if response.status_code != 200:
        raise RuntimeError(f"GET {path}: {response.status_code} {response.content[:300]!r}")
    return sent


def main(tenant_id: str, key: str) -> dict[str, Any]:
    """Make the conversations and tell what listing them takes."""
    connection.ensure_connection()
    settings.ALLOWED_HOSTS = ["*"]
    with acting_as(TenantRef(uuid.UUID(tenant_id), "pool")):
        session = converse()
    paths = {
        "50 sessions": "/api/v1/sessions/?limit=50",
        "one session's 50 messages": f"/api/v1/sessions/{session}/messages/?limit=50",
    }
    return {"paths": paths, "statements": {name: statements(path, key) for name, path in paths.items()}}


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:3])))
