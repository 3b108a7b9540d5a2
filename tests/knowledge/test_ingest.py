"""Processing: status, costs, failures, lost workers, and the swap of versions while others search."""

import threading
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ai.embedding import embedder
from ai.embedding.hashing import HashingEmbedder
from billing.models import CostEvent
from kernel.clock import now
from kernel.errors import ProviderError
from knowledge import ingest, search, tasks
from knowledge.documents import change_document, delete_document, save_document
from knowledge.models import Chunk, ChunkEmbedding, Document, DocumentStatus, KnowledgeTotals, Posting
from tenants.context import acting_as
from tenants.models import DueWork
from tests.knowledge import corpus
from tests.knowledge.indexing import expected_postings, stored_postings

LONG = "\n\n".join(
    f"## Part {n}\n\n" + f"The valve number {n} closes within {n} seconds. " * 14 for n in range(40)
)


@pytest.fixture
def failing(monkeypatch):
    """An embedder that fails as told."""

    def fail(error):
        async def embed(self, texts, *, kind):
            raise error

        monkeypatch.setattr(HashingEmbedder, "embed", embed)

    return fail


def waiting(tenant, **fields):
    with acting_as(tenant):
        return save_document(**{"title": "Valves", "content": LONG, **fields}).document


def test_a_document_becomes_chunks_with_vectors_and_words(acme):
    document = corpus.add(acme, title="Valves", content=LONG)
    with acting_as(acme):
        chunks = list(Chunk.objects.all())
        assert (document.status, document.progress, document.version, document.language) == (
            "ready",
            1.0,
            1,
            "en",
        )
        assert [chunk.position for chunk in chunks] == list(range(len(chunks)))
        assert ChunkEmbedding.objects.count() == len(chunks) > 20
        assert set(ChunkEmbedding.objects.values_list("embedding_model", flat=True)) == {"hashing"}
        assert np.linalg.norm(document.embedding) == pytest.approx(1, abs=0.01)
        assert stored_postings() == expected_postings()
        assert not DueWork.objects.filter(kind=ingest.WORK).exists()


def test_each_batch_is_a_cost_event_and_unchanged_text_costs_nothing(acme):
    document = corpus.add(acme, title="Valves", content=LONG, external_id="v")
    with acting_as(acme):
        chunks = Chunk.objects.count()
        events = CostEvent.objects.all()
        assert len(events) == -(-chunks // ingest.BATCH)
        assert {(event.service, event.feature, event.cost_usd) for event in events} == {
            ("embedding", "ingest", 0)
        }
        save_document(title="Valves", content=LONG, external_id="v")
    assert ingest.ingest(corpus.ref(acme), document.pk) is False
    with acting_as(acme):
        assert CostEvent.objects.count() == len(events)


def test_a_document_without_text_fails_with_a_reason(acme):
    document = corpus.add(acme, title="Empty", content="<html><script>var x = 1</script></html>")
    assert (document.status, document.error) == ("failed", "content: has no readable text")


def test_a_failed_new_version_leaves_the_old_one_searchable(acme):
    document = corpus.add(acme, title="Valves", content="Turn the valve to the left.", external_id="v")
    failed = corpus.add(acme, title="Valves", content="<html><style>x</style></html>", external_id="v")
    assert (failed.status, failed.version, failed.latest) == ("failed", 1, 2)
    assert [hit.document_id for hit in search.search(acme, "valve").results] == [document.pk]


def test_a_provider_that_may_recover_leaves_the_document_pending(acme, failing):
    document = waiting(acme)
    failing(ProviderError("busy", provider="local", retryable=True, code="rate_limited"))
    with pytest.raises(ProviderError):
        ingest.ingest(corpus.ref(acme), document.pk)
    with acting_as(acme):
        document.refresh_from_db()
        assert (document.status, document.error) == ("pending", "busy")
        assert DueWork.objects.filter(kind=ingest.WORK, key=document.pk).exists()


def test_the_task_gives_up_when_trying_again_is_useless(acme, failing):
    document = waiting(acme)
    failing(ProviderError("the key is wrong", provider="openai", retryable=False, code="unauthorized"))
    with acting_as(acme):
        tasks.ingest_document.apply(args=[str(document.pk)], headers={"tenant_id": str(acme.pk)}, throw=True)
        document.refresh_from_db()
        assert (document.status, document.error) == ("failed", "the key is wrong")


def test_a_second_worker_leaves_a_document_in_work_alone(acme):
    document = waiting(acme)
    with acting_as(acme):
        Document.objects.update(status=DocumentStatus.PROCESSING, updated_at=now())
    assert ingest.ingest(corpus.ref(acme), document.pk) is False
    with acting_as(acme):
        Document.objects.update(updated_at=now() - ingest.LEASE - timedelta(seconds=1))
    assert ingest.ingest(corpus.ref(acme), document.pk) is True


def test_a_document_whose_worker_died_is_sent_again(
    acme, bolt, monkeypatch, django_capture_on_commit_callbacks
):
    sent = []
    monkeypatch.setattr(ingest, "_send", lambda tenant, key: sent.append((tenant.id, key)))
    document = waiting(acme)
    waiting(bolt)
    with acting_as(acme):
        DueWork.objects.filter(key=document.pk).update(due_at=now() - timedelta(seconds=1))
    with django_capture_on_commit_callbacks(execute=True):
        assert ingest.requeue_overdue() == 1
    assert sent == [(acme.pk, document.pk)]
    with django_capture_on_commit_callbacks(execute=True):
        tasks.requeue_documents()
    assert len(sent) == 1


def test_the_promise_for_a_deleted_document_is_dropped(acme):
    document = waiting(acme)
    with acting_as(acme):
        delete_document(document.pk)
        assert not DueWork.objects.filter(kind=ingest.WORK, key=document.pk).exists()
    assert ingest.ingest(corpus.ref(acme), document.pk) is False


def test_a_newer_version_wins_over_the_one_in_work(acme, monkeypatch):
    document = waiting(acme, content="The first text about valves.")
    embed = HashingEmbedder.embed

    async def embed_while_somebody_edits(self, texts, *, kind):
        result = await embed(self, texts, kind=kind)
        edited.set()
        return result

    edited = threading.Event()
    monkeypatch.setattr(HashingEmbedder, "embed", embed_while_somebody_edits)
    book = ingest._book

    def edit_then_book(*args):
        book(*args)
        change_document(document.pk, content="The second text about valves.")

    monkeypatch.setattr(ingest, "_book", edit_then_book)
    assert ingest.ingest(corpus.ref(acme), document.pk) is False
    monkeypatch.setattr(ingest, "_book", book)
    assert ingest.ingest(corpus.ref(acme), document.pk) is True
    with acting_as(acme):
        assert [chunk.content for chunk in Chunk.objects.all()] == ["The second text about valves."]
        assert stored_postings() == expected_postings()


@pytest.mark.django_db(transaction=True)
def test_readers_see_one_version_or_the_other_never_both(acme):
    """A tenth of the swaps that `make soak` runs; each search must see 40 chunks of a single version."""
    corpus.add(acme, title="Valves", content=LONG, external_id="v")
    stop, seen, wrong = threading.Event(), set(), []

    def read():
        query = embedder()
        try:
            while not stop.is_set():
                with acting_as(acme), connection.cursor() as cursor:
                    cursor.execute("SELECT array_agg(DISTINCT version), count(*) FROM knowledge_chunks")
                    versions, _ = cursor.fetchone()
                    cursor.execute(
                        "SELECT count(*) FROM chunk_embeddings e WHERE NOT EXISTS"
                        " (SELECT FROM knowledge_chunks c WHERE c.id = e.chunk_id)"
                    )
                    (orphans,) = cursor.fetchone()
                outcome = search.search(acme, "valve number 7 closes", limit=50)
                seen.update(versions)
                if len(versions) != 1 or orphans or not outcome.results:
                    wrong.append((versions, orphans, len(outcome.results)))
        finally:
            assert query is embedder()
            connection.close()

    readers = [threading.Thread(target=read) for _ in range(2)]
    [reader.start() for reader in readers]
    for number in range(6):
        corpus.add(acme, title="Valves", content=LONG + f"\n\n## Edition {number}\n\nNew.", external_id="v")
    stop.set()
    [reader.join() for reader in readers]
    assert wrong == []
    assert len(seen) > 1


@pytest.mark.django_db(transaction=True)
def test_documents_of_one_tenant_processed_at_once_keep_the_index_exact(acme, bolt):
    corpus.load(bolt, "bolt")

    def work(part):
        try:
            for number in range(4):
                corpus.add(
                    acme, title=f"Page {part}", content=f"{LONG}\n\nEdition {number}", external_id=f"p{part}"
                )
            if part == 0:
                with acting_as(acme):
                    delete_document(Document.objects.get(external_id="p0").pk)
        finally:
            connection.close()

    workers = [threading.Thread(target=work, args=(part,)) for part in range(3)]
    [worker.start() for worker in workers]
    [worker.join() for worker in workers]
    with acting_as(acme):
        assert stored_postings() == expected_postings()
        assert KnowledgeTotals.objects.get().chunks == Chunk.objects.count() == ChunkEmbedding.objects.count()
    with acting_as(bolt):
        assert stored_postings() == expected_postings()


EDITS = st.lists(
    st.tuples(
        st.sampled_from(["a", "b", "c"]),
        st.sampled_from(["save", "delete"]),
        st.text(st.sampled_from("hub valve lock \n#|"), min_size=1, max_size=2500),
    ),
    max_size=8,
)


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(EDITS)
def test_after_any_edits_the_keyword_index_is_as_if_made_anew(acme, edits):
    for external_id, deed, text in edits:
        if deed == "save":
            corpus.add(acme, title=f"T {external_id}", content=f"word {text}", external_id=external_id)
        else:
            with acting_as(acme):
                for document in Document.objects.present().filter(external_id=external_id):
                    delete_document(document.pk)
    with acting_as(acme):
        assert stored_postings() == expected_postings()
        assert not Posting.objects.filter(entries=[]).exists()
