"""The OpenAPI document and its page."""

import jsonschema
from django.test import Client
from drf_spectacular.validation import validate_schema

from config.api import document
from kernel.ids import uuid7
from knowledge.documents import save_document
from tenants.authentication import issue_api_key
from tenants.context import acting_as
from tests import conversations
from widgets.editing import create_widget
from widgets.models import Message
from widgets.personalities import create_personality


def operations():
    for path, verbs in document()["paths"].items():
        for method, described in verbs.items():
            yield path, method, described


def test_the_document_is_valid_openapi_3_1(client):
    assert document()["openapi"].startswith("3.1")
    validate_schema(document())
    assert client.get("/api/v1/openapi.json").json()["info"]["title"] == "Frontdesk API"


def test_every_operation_names_its_scope_its_problems_and_its_keys():
    seen = set()
    for path, method, described in operations():
        assert described["operationId"] not in seen
        seen.add(described["operationId"])
        assert described["x-scope"], path
        assert {"apiKey": []} in described["security"]
        wanted = {"400", "401", "403", "406", "429", "503"}
        wanted |= {"404"} if "{" in path else set()
        wanted |= {"413", "415"} if "requestBody" in described else set()
        wanted |= {"409"} if method != "get" else set()
        assert wanted <= set(described["responses"]), (path, method)
        for status in wanted:
            assert "application/problem+json" in described["responses"][status]["content"]
    assert {"widgets_create", "sessions_list", "messages_list", "api_keys_rotate"} <= seen


def test_the_page_shows_every_operation_and_loads_nothing_from_elsewhere(client: Client):
    response = client.get("/api/docs")
    assert response.status_code == 200
    html = response.content.decode()
    for path, _, described in operations():
        assert f'id="{described["operationId"]}"' in html
        assert path in html
    assert 'src="http' not in html
    assert 'href="http' not in html
    assert client.get("/static/config/api_reference.css").status_code == 200


def test_an_unknown_address_is_a_problem(client, db):
    for path in ("/api/", "/api/v1/", "/api/v1/nothing/", "/api/v2/widgets/"):
        response = client.get(path)
        assert (response.status_code, response["Content-Type"]) == (404, "application/problem+json")


def check_against_document(method, path, response):
    """The response is one that the document promises, and its body is as its schema says."""
    described = document()["paths"][path][method]["responses"]
    assert str(response.status_code) in described, (path, response.content)
    content = described[str(response.status_code)].get("content", {})
    if not content:
        assert not response.content
        return
    media_type = response["Content-Type"].partition(";")[0]
    schema = {**content[media_type]["schema"], "components": document()["components"]}
    jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker()).validate(
        response.json()
    )


def test_what_is_answered_is_what_is_promised(client, acme, bolt):
    """Each reading operation over rows of every kind, and each refusal that needs no special case."""
    session = conversations.session(acme, rating=1, tags=["a"])
    conversations.session(bolt)
    with acting_as(acme):
        personality, _ = create_personality("Voice"), create_widget("Main", settings={"own": 1})
        message = Message.objects.create(
            session=session, seq=1, role="assistant", content="x", client_id=uuid7(), metadata={"event": "abstained"},
            citations=[{"document_id": str(uuid7()), "chunk_id": str(uuid7()), "title": "", "url": None, "quote": "q"}],
        )  # fmt: skip
        key, secret = issue_api_key("all", ["read", "write"])
        document_row = save_document(title="Guide", content="# Guide\n\nWords.").document
    rows = {
        "api-keys": key.pk, "widgets": session.widget_id, "personalities": personality.pk, "sessions": session.pk,
        "documents": document_row.pk,
    }  # fmt: skip
    for path, method, _ in operations():
        collection = path.split("/")[3]
        address = path.replace("{id}", str(rows.get(collection, uuid7()))).replace(
            "{message_id}", str(message.pk)
        )
        unknown = path.replace("{id}", str(uuid7())).replace("{message_id}", str(uuid7()))
        for good_key, target, body in (
            (secret, address, b""),
            (secret, unknown, b""),
            ("fd_sk_wrong", address, b""),
            (secret, address, b"{"),
            (secret, address, b'{"nobody": 1}'),
            (secret, address + "?limit=0&cursor=x", b"[]"),
        ):
            if method == "get" or body or target == unknown or good_key != secret:
                headers = {"Authorization": f"Bearer {good_key}"}
                response = client.generic(
                    method.upper(), target, body, content_type="application/json", headers=headers
                )
                check_against_document(method, path, response)
