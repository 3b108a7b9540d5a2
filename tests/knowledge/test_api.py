"""The doors of documents/ and search/."""

import orjson
import pytest

from kernel.errors import ProviderError
from kernel.ids import uuid7
from knowledge.models import Document
from tenants.context import acting_as
from tests import cast
from tests.knowledge import corpus

pytestmark = pytest.mark.urls("tests.knowledge.urls")

PAGE = {
    "title": "Returns", "content": "# Returns\n\nYou may return a hub within 60 days.", "category": "orders",
    "collection": "public", "metadata": {"url": "https://acme.com/r"}, "external_id": "returns",
}  # fmt: skip


@pytest.fixture
def call(client, acme):
    secret = cast.api_key(acme)

    def send(method, path, body=None, *, key=secret):
        data = b"" if body is None else orjson.dumps(body)
        return client.generic(
            method, f"/api/v1/{path}", data, "application/json", headers={"Authorization": f"Bearer {key}"}
        )

    return send


def refused(response, status=400):
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    return {error["field"]: error["message"] for error in response.json()["errors"]}


class TestDocuments:
    def test_a_document_is_taken_and_processed_later(self, call, acme, bolt):
        corpus.add(bolt, **PAGE)
        response = call("POST", "documents/", PAGE)
        assert response.status_code == 202, response.content
        document = response.json()
        assert {name: document[name] for name in PAGE} == PAGE
        assert (document["status"], document["progress"], document["version"]) == ("pending", 0.0, 0)
        with acting_as(acme):
            assert str(Document.objects.get().pk) == document["id"]

    def test_the_same_again_is_200_and_new_text_202(self, call, acme):
        first = call("POST", "documents/", PAGE).json()
        again = call("POST", "documents/", PAGE)
        assert (again.status_code, again.json()["id"]) == (200, first["id"])
        changed = call("POST", "documents/", {**PAGE, "content": "Something new."})
        assert (changed.status_code, changed.json()["id"]) == (202, first["id"])

    def test_what_was_read_can_be_sent_back(self, call):
        path = f"documents/{call('POST', 'documents/', PAGE).json()['id']}/"
        read = call("GET", path).json()
        sent = call("PATCH", path, read)
        assert sent.status_code == 200, sent.content
        assert sent.json()["content"] == PAGE["content"]
        assert call("PATCH", path, {"category": "other"}).json()["category"] == "other"
        assert call("PATCH", path, {"content": "New text."}).status_code == 202

    def test_lists_are_newest_first_filtered_and_without_text(self, call, acme, bolt):
        corpus.add(bolt, **PAGE)
        corpus.add(acme, **PAGE)
        call("POST", "documents/", {"title": "Second", "content": "text"})
        rows = call("GET", "documents/").json()["results"]
        assert [row["title"] for row in rows] == ["Second", "Returns"]
        assert "content" not in rows[0]
        assert [row["title"] for row in call("GET", "documents/?status=ready").json()["results"]] == [
            "Returns"
        ]
        assert (
            call("GET", "documents/?category=orders&collection=public").json()["results"][0]["title"]
            == "Returns"
        )
        assert call("GET", "documents/?external_id=no%00ne").json()["results"] == []
        page = call("GET", "documents/?limit=1").json()
        assert (
            call("GET", f"documents/?limit=1&cursor={page['next']}").json()["results"][0]["title"]
            == "Returns"
        )
        assert refused(call("GET", "documents/?status=done")).keys() == {"status"}

    def test_a_deleted_document_is_gone(self, call, acme):
        document = corpus.add(acme, **PAGE)
        assert call("DELETE", f"documents/{document.pk}/").status_code == 204
        refused(call("GET", f"documents/{document.pk}/"), 404)
        refused(call("DELETE", f"documents/{document.pk}/"), 404)
        assert call("GET", "documents/").json()["results"] == []
        assert call("POST", "search/", {"query": "return a hub"}).json()["results"] == []

    @pytest.mark.parametrize("method", ["GET", "PATCH", "DELETE"])
    def test_another_tenants_document_is_unknown(self, call, bolt, method):
        document = corpus.add(bolt, **PAGE)
        for identifier in (document.pk, uuid7()):
            refused(call(method, f"documents/{identifier}/", {} if method == "PATCH" else None), 404)

    @pytest.mark.parametrize(
        ("change", "field"),
        [
            ({"title": ""}, "title"), ({"title": 5}, "title"), ({"title": "x" * 301}, "title"),
            ({"content": ""}, "content"), ({"content": "***"}, "content"), ({"content": None}, "content"),
            ({"category": ["a"]}, "category"), ({"external_id": "x" * 501}, "external_id"),
            ({"metadata": "text"}, "metadata"), ({"metadata": {"url": "javascript:x"}}, "metadata"),
            ({"language": "en", "colour": "red"}, "colour"),
        ],
    )  # fmt: skip
    def test_wrong_fields_are_named(self, call, acme, change, field):
        assert field in refused(call("POST", "documents/", {**PAGE, **change}))
        with acting_as(acme):
            assert not Document.objects.exists()

    def test_an_external_id_of_another_document_is_a_conflict(self, call):
        call("POST", "documents/", PAGE)
        other = call("POST", "documents/", {"title": "Other", "content": "text"}).json()
        response = call("PATCH", f"documents/{other['id']}/", {"external_id": "returns"})
        refused(response, 409)
        assert response.json()["code"] == "external_id_taken"

    def test_reading_needs_a_scope_and_writing_another(self, call, acme):
        reader = cast.api_key(acme, "knowledge:read")
        assert call("GET", "documents/", key=reader).status_code == 200
        assert call("POST", "search/", {"query": "hub"}, key=reader).status_code == 200
        refused(call("POST", "documents/", PAGE, key=reader), 403)


class TestSearch:
    def test_it_answers_as_the_contract_says(self, call, acme, bolt):
        corpus.load(bolt, "bolt")
        document = corpus.add(acme, **PAGE)
        body = {"query": "Can I return a hub?", "limit": 3, "category": "orders", "collection": None}
        found = call("POST", "search/", body).json()
        (hit,) = found["results"]
        assert (hit["document_id"], hit["external_id"], hit["title"]) == (
            str(document.pk),
            "returns",
            "Returns",
        )
        assert (hit["url"], hit["content"]) == ("https://acme.com/r", "You may return a hub within 60 days.")
        assert 0 < hit["score"] <= 1
        assert hit["scores"].keys() == {"vector", "keyword"}
        assert 0 <= found["confidence"] <= 1

    def test_history_is_taken(self, call, acme):
        corpus.load(acme, "acme")
        history = [
            {"role": "user", "content": "Tell me about the leak sensor"},
            {"role": "assistant", "content": ""},
        ]
        found = call("POST", "search/", {"query": "its battery?", "history": history}).json()
        assert found["results"][0]["external_id"] == "leak-sensor"

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            ({}, "query"), ({"query": ""}, "query"), ({"query": 7}, "query"), ({"query": "x" * 2001}, "query"),
            ({"query": "x", "limit": 0}, "limit"), ({"query": "x", "limit": 51}, "limit"),
            ({"query": "x", "limit": "10"}, "limit"), ({"query": "x", "limit": True}, "limit"),
            ({"query": "x", "history": [{"role": "pirate", "content": "y"}]}, "history.0.role"),
            ({"query": "x", "history": "y"}, "history"), ({"query": "x", "kb": "aws"}, "kb"),
        ],
    )  # fmt: skip
    def test_wrong_fields_are_named(self, call, body, field):
        assert field in refused(call("POST", "search/", body))

    @pytest.mark.parametrize(
        "query", ["' | !! & <->", "%s %(x)s", "\u0001", "🙂", "a:* b:*", "NaN", "﷽" * 100]
    )
    def test_odd_questions_are_answered(self, call, acme, query):
        corpus.add(acme, **PAGE)
        assert call("POST", "search/", {"query": query}).status_code == 200

    def test_an_embedder_that_fails_is_503(self, call, monkeypatch):
        from ai.embedding.hashing import HashingEmbedder

        async def fail(self, texts, *, kind):
            raise ProviderError("down", provider="local", retryable=True, retry_after=7)

        monkeypatch.setattr(HashingEmbedder, "embed", fail)
        response = call("POST", "search/", {"query": "hub"})
        refused(response, 503)
        assert response["Retry-After"] == "7"
