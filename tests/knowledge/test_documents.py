"""Saving, changing, deleting documents: versions only for new text, clear refusals, nothing of another tenant's."""

import pytest

from kernel.errors import Conflict, InvalidInput, NotFound
from kernel.ids import uuid7
from knowledge import documents
from knowledge.documents import change_document, delete_document, save_document
from knowledge.models import Chunk, ChunkEmbedding, Document, DocumentVersion, KnowledgeTotals, Posting
from tenants.context import acting_as
from tests.knowledge import corpus

PAGE = {
    "title": "Returns",
    "content": "You may return a hub within 60 days of delivery.",
    "external_id": "returns",
}


@pytest.fixture
def returns(acme, bolt):
    """Acme's page; bolt has one under the same name that must stay as it is."""
    corpus.add(bolt, **{**PAGE, "content": "Bolt rents bikes, nothing can be returned."})
    return corpus.add(acme, **PAGE)


def test_the_same_text_again_writes_nothing(acme, returns):
    with acting_as(acme):
        saved = save_document(**PAGE)
        assert (saved.created, saved.queued) == (False, False)
        assert saved.document.pk == returns.pk
        assert DocumentVersion.objects.count() == 1


def test_new_text_is_a_new_version_and_search_keeps_the_old_one_meanwhile(acme, returns):
    with acting_as(acme):
        saved = save_document(**{**PAGE, "content": "You may return a hub within 90 days."})
        assert (saved.queued, saved.document.latest, saved.document.version) == (True, 2, 1)
        assert saved.document.status == "pending"
        assert [chunk.content for chunk in Chunk.objects.all()] == [PAGE["content"]]


def test_other_fields_change_without_a_version(acme, returns):
    with acting_as(acme):
        saved = save_document(
            **PAGE, category="orders", metadata={"url": "https://acme.com/r", "tags": ["a"]}
        )
        assert not saved.queued
        document = Document.objects.get()
        assert (document.category, document.url, document.latest) == ("orders", "https://acme.com/r", 1)


def test_sending_a_failed_document_again_tries_again(acme):
    page = {**PAGE, "content": "<html><script>x</script></html>"}
    assert corpus.add(acme, **page).status == "failed"
    with acting_as(acme):
        saved = save_document(**page)
        assert (saved.queued, saved.document.status, saved.document.latest) == (True, "pending", 1)


def test_a_change_of_title_is_a_version(acme, returns):
    with acting_as(acme):
        assert change_document(returns.pk, title="Returning things").queued
        assert change_document(returns.pk, title="Returning things").queued is False
        assert change_document(returns.pk, external_id=None, category="x").document.external_id is None


def test_an_external_id_belongs_to_one_document(acme, returns):
    other = corpus.add(acme, title="Other", content="Other text", external_id="other")
    with acting_as(acme), pytest.raises(Conflict):
        change_document(other.pk, external_id="returns")


def test_old_versions_go_but_the_published_one_stays(acme, returns, monkeypatch):
    monkeypatch.setattr(documents, "KEPT_VERSIONS", 3)
    with acting_as(acme):
        for number in range(6):
            change_document(returns.pk, content=f"Text number {number} for a hub")
        assert [version.number for version in DocumentVersion.objects.all()] == [7, 6, 5, 1]


def test_a_deleted_document_is_found_no_more_at_once_and_comes_back(acme, bolt, returns):
    with acting_as(acme):
        delete_document(returns.pk)
        assert not Chunk.objects.exists()
        assert not ChunkEmbedding.objects.exists()
        assert not Posting.objects.exists()
        totals = KnowledgeTotals.objects.get()
        assert (totals.chunks, totals.words, totals.stemmers) == (0, 0, {})
        with pytest.raises(NotFound):
            delete_document(returns.pk)
    again = corpus.add(acme, **PAGE)
    assert (again.pk, again.status, again.deleted_at) == (returns.pk, "ready", None)
    with acting_as(acme):
        assert Chunk.objects.count() == 1
    with acting_as(bolt):
        assert Chunk.objects.get().content.startswith("Bolt")


@pytest.mark.parametrize("deed", [delete_document, lambda pk: change_document(pk, title="Mine now")])
def test_another_tenants_document_does_not_exist(bolt, returns, deed):
    with acting_as(bolt), pytest.raises(NotFound):
        deed(returns.pk)


def test_an_unknown_document_does_not_exist(acme):
    with acting_as(acme), pytest.raises(NotFound):
        change_document(uuid7(), title="x")


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"title": " "}, "title"),
        ({"title": "x" * 301}, "title"),
        ({"title": "a\0b"}, "title"),
        ({"content": ""}, "content"),
        ({"content": " \n***"}, "content"),
        ({"content": "x" * (documents.MAX_CONTENT + 1)}, "content"),
        ({"content": "é" * (documents.MAX_CONTENT // 2 + 1)}, "content"),
        ({"category": "c" * 101}, "category"),
        ({"collection": "c\0"}, "collection"),
        ({"external_id": ""}, "external_id"),
        ({"external_id": "x" * 501}, "external_id"),
        ({"metadata": {"x": "y" * 70_000}}, "metadata"),
        ({"metadata": {"x": "a\0b"}}, "metadata"),
        ({"metadata": {"url": "javascript:alert(1)"}}, "metadata"),
    ],
)
def test_what_is_not_allowed_is_named(acme, fields, field):
    with acting_as(acme):
        with pytest.raises(InvalidInput) as refused:
            save_document(**{**PAGE, **fields})
        assert [error.field for error in refused.value.errors] == [field]
        assert not Document.objects.exists()


def test_every_wrong_field_is_named_at_once(acme):
    with acting_as(acme), pytest.raises(InvalidInput) as refused:
        save_document(title="", content="")
    assert [error.field for error in refused.value.errors] == ["title", "content"]
