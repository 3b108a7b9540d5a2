"""After a change of EMBEDDING_MODEL: found by words at once, by meaning when the worker has been there."""

from io import StringIO

import numpy as np
import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from ai.embedding import embedder, wait_for
from billing.costs.models import CostEvent
from kernel.errors import ProviderError
from knowledge import reembedding, search
from knowledge.models import Chunk, ChunkEmbedding, Document
from knowledge.vector_index.maintaining import carry_out
from knowledge.vector_index.progress import Progress
from tenants.context import acting_as
from tenants.models import DueWork
from tests.knowledge import corpus
from tests.knowledge.vectors import tidied, wants_graph_from

LONG = "\n\n".join(f"# Part {n}\n\n{'How the hub is reset. ' * 40}" for n in range(70))


def taught(tenant, before="older-model"):
    """Two documents of the tenant, embedded with the model in use and then, as it were, with another."""
    for title, content in (
        ("Reset", LONG),
        ("Returns", "A parcel can be sent back within thirty days. " * 10),
    ):
        corpus.add(tenant, title=title, content=content)
    grow_old(tenant, before)


def grow_old(tenant, before="older-model"):
    with acting_as(tenant), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE chunk_embeddings SET embedding_model = %s, embedding = (SELECT array_agg(1)::halfvec(1024)"
            " FROM generate_series(1, 1024))",
            [before],
        )


def models(tenant):
    with acting_as(tenant):
        return set(ChunkEmbedding.objects.values_list("embedding_model", flat=True))


def hit(tenant, question):
    found = wait_for(search.embed_query(question))
    with acting_as(tenant):
        return search.find(question, found).results[0]


@pytest.mark.django_db
@pytest.mark.parametrize("before", ["older-model", "a-model-before-hashing"])
def test_words_find_at_once_and_meaning_afterwards(acme, bolt, before):
    taught(acme, before)
    taught(bolt)
    first = hit(acme, "send a parcel back")
    assert first.title == "Returns"
    assert first.scores.vector == 0
    assert first.scores.keyword > 0
    with acting_as(acme):
        ids = set(Chunk.objects.values_list("pk", flat=True))
        assert reembedding.order() == 2
        assert reembedding.remaining() == 2
    reembedding.work(corpus.ref(acme))
    assert models(acme) == {embedder().model}
    assert models(bolt) == {"older-model"}
    again = hit(acme, "send a parcel back")
    assert again.chunk_id == first.chunk_id
    assert again.scores.vector > 0.1
    with acting_as(acme):
        assert set(Chunk.objects.values_list("pk", flat=True)) == ids
        assert (reembedding.remaining(), reembedding.order()) == (0, 0)


@pytest.mark.django_db
def test_vectors_and_their_mean_are_as_ingest_makes_them(acme, bolt):
    for tenant in (acme, bolt):
        corpus.add(tenant, title="Reset", content=LONG)
    grow_old(acme)
    with acting_as(acme):
        Document.objects.update(embedding=[1.0] + [0.0] * 1023)
        reembedding.order()
    reembedding.work(corpus.ref(acme))
    rows = []
    for tenant in (acme, bolt):
        with acting_as(tenant):
            vectors = ChunkEmbedding.objects.order_by("chunk__position").values_list("embedding", flat=True)
            rows.append([*vectors, Document.objects.get().embedding])
    assert np.allclose(rows[0], rows[1], atol=2e-3)
    with acting_as(acme):
        events = CostEvent.objects.filter(metadata__operation="reembed")
        assert events.count() == 2  # 70 chunks, 64 to a call
        assert all(event.service == "embedding" for event in events)


@pytest.mark.django_db
def test_what_is_deleted_or_new_meanwhile_is_left_alone(acme):
    taught(acme)
    with acting_as(acme):
        reembedding.order()
        Document.objects.filter(title="Returns").delete()
    reembedding.work(corpus.ref(acme))
    assert models(acme) == {embedder().model}
    with acting_as(acme):
        assert reembedding.remaining() == 0


class Refusing:
    """An embedder that fails at its second call."""

    languages = None

    def __init__(self, retryable):
        self.calls, self.retryable, self.model = 0, retryable, embedder().model

    async def embed(self, texts, *, kind):
        self.calls += 1
        if self.calls == 2:
            raise ProviderError("no", code="unavailable", retryable=self.retryable, provider="tests")
        return await embedder("hashing").embed(texts, kind=kind)


@pytest.mark.django_db
@pytest.mark.parametrize("retryable", [True, False])
def test_a_failing_provider_puts_a_document_off_and_loses_nothing(acme, monkeypatch, retryable):
    taught(acme)
    with acting_as(acme):
        reembedding.order()
    refusing = Refusing(retryable)
    monkeypatch.setattr(reembedding, "embedder_of", lambda tenant: refusing)
    reembedding.work(corpus.ref(acme))
    assert refusing.calls == 2
    assert models(acme) == {"older-model", embedder().model}
    assert reembedding.resume() in (0, 1)
    with acting_as(acme):
        assert reembedding.remaining() >= 1
        DueWork.objects.filter(kind=reembedding.WORK).update(due_at="2020-01-01T00:00Z")
    assert reembedding.resume() == 1
    reembedding.work(corpus.ref(acme))
    assert models(acme) == {embedder().model}


@pytest.mark.django_db
def test_no_two_take_the_same_document(acme):
    taught(acme)
    with acting_as(acme):
        reembedding.order()
        assert reembedding._take() is not None
        assert reembedding._take() is not None
        assert reembedding._take() is None
        assert reembedding.remaining() == 2


@pytest.mark.django_db
def test_beat_finds_everybody(acme, bolt, cargo):
    for tenant in (acme, cargo):
        taught(tenant)
    corpus.add(bolt, title="Fine", content="All is well here. " * 20)
    assert reembedding.order_for_everybody() == 4
    with acting_as(bolt):
        assert reembedding.remaining() == 0


@pytest.mark.django_db(transaction=True)
def test_a_graph_is_taught_the_new_vectors(acme):
    with tidied():
        wants_graph_from(acme, 20)
        taught(acme)
        assert carry_out(corpus.ref(acme))
        with acting_as(acme):
            reembedding.order()
        reembedding.work(corpus.ref(acme))
        assert hit(acme, "send a parcel back").scores.vector > 0.1


@pytest.mark.django_db(transaction=True)
def test_a_copy_in_progress_follows(acme, monkeypatch):
    at = Progress.at

    def at_and_reembed(self, status, share):
        at(self, status, share)
        if status == "attaching":
            with acting_as(acme):
                reembedding.order()
            reembedding.work(corpus.ref(acme))

    with tidied():
        wants_graph_from(acme, 20)
        taught(acme)
        monkeypatch.setattr(Progress, "at", at_and_reembed)
        assert carry_out(corpus.ref(acme))
        assert models(acme) == {embedder().model}
        assert hit(acme, "send a parcel back").scores.vector > 0.1


@pytest.mark.django_db
def test_the_command(acme, bolt):
    taught(acme)
    taught(bolt)
    out = StringIO()
    call_command("reembed", "--tenant", "acme", stdout=out)
    assert out.getvalue() == f"acme: 2 documents get vectors of {embedder().model}\n"
    with acting_as(bolt):
        assert reembedding.remaining() == 0
    reembedding.work(corpus.ref(acme))
    out = StringIO()
    call_command("reembed", "--tenant", "acme", "--wait", stdout=out)
    assert out.getvalue() == f"every vector is of {embedder().model}\n"
    with pytest.raises(CommandError, match="no tenant nobody"):
        call_command("reembed", "--tenant", "nobody")
