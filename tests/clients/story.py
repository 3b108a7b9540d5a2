"""What a program does with the generated Python client (`frontdesk_client`); prints what came of it as JSON."""

import json
import os
import time

from frontdesk_client import AuthenticatedClient
from frontdesk_client.api.answers import answers_create
from frontdesk_client.api.cost_summaries import cost_summaries_read
from frontdesk_client.api.documents import documents_create, documents_list, documents_read
from frontdesk_client.api.sessions import messages_create, messages_read, sessions_create, sessions_list
from frontdesk_client.models import (
    AskRequest,
    CostSummariesReadGroupBy,
    Document,
    DocumentRequest,
    NewMessageRequest,
    NewSessionRequest,
    Problem,
    SessionPage,
    SessionsListStatus,
)

client = AuthenticatedClient(base_url=os.environ["FRONTDESK_URL"], token=os.environ["FRONTDESK_KEY"])
QUESTION = "How long is the warranty of the hub?"

document = documents_create.sync(
    client=client,
    body=DocumentRequest(
        title="Warranty",
        content="# Warranty\n\nThe warranty of the hub is two years.",
        external_id="python/warranty",
    ),
)
assert isinstance(document, Document), document
for _ in range(300):
    document = documents_read.sync(document.id, client=client)
    assert isinstance(document, Document)
    if document.status.value in ("ready", "failed"):
        break
    time.sleep(0.1)

answer = answers_create.sync(client=client, body=AskRequest(question=QUESTION))
session = sessions_create.sync(client=client, body=NewSessionRequest())
said = messages_create.sync(session.id, client=client, body=NewMessageRequest(content=QUESTION))
assert not isinstance(said, Problem), said

seen, cursor = [], None
while True:
    page = sessions_list.sync(
        client=client, limit=1, status=SessionsListStatus.AI, **({"cursor": cursor} if cursor else {})
    )
    assert isinstance(page, SessionPage), page
    seen += [str(found.id) for found in page.results]
    cursor = page.next_
    if cursor is None:
        break

report = cost_summaries_read.sync(client=client, group_by=CostSummariesReadGroupBy.DAY, by="service")
refused = documents_list.sync(client=client, limit=1, cursor="nonsense")
missing = messages_read.sync(session.id, document.id, client=client)
assert isinstance(refused, Problem)
assert isinstance(missing, Problem)

print(
    json.dumps(
        {
            "document": document.status.value,
            "answer": answer.answer,
            "cited": [str(citation.document_id) for citation in answer.citations] == [str(document.id)],
            "said": said.answer.content,
            "session_listed": str(session.id) in seen,
            "sessions": len(seen),
            "cost_usd": report.totals.total_cost_usd,
            "refused": [refused.status, refused.code, refused.errors[0].field],
            "missing": [missing.status, missing.code],
        }
    )
)
