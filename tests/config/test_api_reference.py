"""The OpenAPI document and its page."""

from django.test import Client
from drf_spectacular.validation import validate_schema

from config.api import document


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
