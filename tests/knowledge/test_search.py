"""Search against a reference worked out in Python, its filters, its limits, and what it must never show."""

import math

import numpy as np
import pytest

from ai.embedding import embedder, wait_for
from billing.models import CostEvent
from kernel.errors import InvalidInput
from knowledge import search
from knowledge.language import detect, stemmer
from knowledge.models import Chunk, ChunkEmbedding
from knowledge.publishing import searchable_words
from knowledge.wording import words
from tenants.context import TenantContextError, acting_as, run_as
from tests.knowledge import corpus
from tests.knowledge.indexing import lexemes
from tests.knowledge.questions import ANSWERABLE

QUESTIONS = [
    "How do I reset the hub?", "hub", "What does express delivery to Germany cost?", "the of and", "zzzz qqqq",
    "return return return refund", "Battery of the door-lock, please!", "Wi-Fi 5 GHz", "https://acme.com/help/returns",
    "lock's | & ! ( ) : * <-> 'quoted' \\ %s {x}", "SELECT 1; DROP TABLE knowledge_chunks", "日本語の質問", "a" * 1_900,
]  # fmt: skip


@pytest.fixture
def stocked(acme, bolt):
    corpus.load(acme, "acme")
    corpus.load(bolt, "bolt")
    return acme


def reference(question):
    """Chunk id to fused score, from the definition: BM25 and cosine of every chunk of the acting tenant, min-max over
    the best 50 of each, half and half."""
    chunks = list(Chunk.objects.select_related("document"))
    counts = [
        lexemes(
            stemmer(chunk.document.language),
            searchable_words(chunk.document.title, chunk.heading_path, chunk.content),
        )
        for chunk in chunks
    ]
    total = len(chunks)
    mean = sum(sum(count.values()) for count in counts) / total
    stemmers = [stemmer(chunk.document.language) for chunk in chunks]
    common = max(set(stemmers), key=stemmers.count)
    chosen = (
        stemmer(detect(question)) if stemmer(detect(question)) in stemmers and detect(question) else common
    )
    asked = set(lexemes(chosen, words(question)[-search.MAX_WORDS :]))
    for other in set(stemmers) - {chosen}:
        asked |= set(lexemes(other, words(question)))
    keyword = {}
    for chunk, count in zip(chunks, counts, strict=True):
        length = sum(count.values())
        for lexeme in asked & set(count):
            n = sum(lexeme in other for other in counts)
            idf = math.log(1 + (total - n + 0.5) / (n + 0.5))
            tf = count[lexeme]
            part = idf * tf * 2.2 / (tf + 1.2 * (0.5 + 0.5 * length / mean))
            keyword[chunk.pk] = keyword.get(chunk.pk, 0) + part
    vector = wait_for(embedder().embed([question], kind="query")).vectors[0]
    meaning = {}
    for row in ChunkEmbedding.objects.all():
        cosine = float(np.asarray(row.embedding, dtype=np.float32) @ vector)
        if cosine > 0.01:
            meaning[row.chunk_id] = cosine
    fused = {}
    for scores in (scaled(keyword), scaled(meaning)):
        for pk, score in scores.items():
            fused[pk] = fused.get(pk, 0) + score / 2
    return {pk: score for pk, score in fused.items() if score > 0}


def scaled(scores):
    best = sorted(scores.values(), reverse=True)[:50]
    if not best:
        return {}
    low, high = best[-1], best[0]
    kept = {pk: score for pk, score in scores.items() if score >= low}
    return {
        pk: 0.01 + 0.99 * (score - low) / (high - low) if high > low else 1.0 for pk, score in kept.items()
    }


class TestRanking:
    @pytest.mark.parametrize("question", QUESTIONS)
    def test_it_is_bm25_and_cosine_as_defined(self, stocked, question):
        outcome = search.search(stocked, question, limit=50)
        with acting_as(stocked):
            expected = reference(question)
        found = {hit.chunk_id: hit.score for hit in outcome.results}
        assert set(found) == set(expected)
        assert found == pytest.approx(expected, abs=2e-3)
        scores = [hit.score for hit in outcome.results]
        assert scores == sorted(scores, reverse=True)

    @pytest.mark.parametrize("slug", ["acme", "bolt"])
    def test_the_page_that_answers_comes_first(self, stocked, bolt, slug):
        tenant = {"acme": stocked, "bolt": bolt}[slug]
        english = [(question, page) for question, page in ANSWERABLE[slug] if page != "fahrt-beenden"]
        first = [search.search(tenant, question).results[0].external_id == page for question, page in english]
        assert sum(first) / len(first) >= 0.8

    def test_a_german_page_is_found_among_english_ones(self, stocked, bolt):
        (best, *_) = search.search(bolt, "Wie beende ich meine Fahrten?").results
        assert best.external_id == "fahrt-beenden"

    def test_what_was_said_before_finds_what_it_is_about(self, stocked):
        history = [
            {"role": "user", "content": "Tell me about the water leak sensor"},
            {"role": "assistant", "content": "It sounds a siren."},
        ]
        (best, *_) = search.search(stocked, "and its battery?", history=history).results
        assert best.external_id == "leak-sensor"
        assert search.search(stocked, "and its battery?").results[0].external_id != "leak-sensor"

    def test_a_hit_says_where_it_is_from(self, stocked):
        hit = search.search(stocked, "How long is the warranty?").results[0]
        assert (hit.title, hit.url) == ("Warranty and Repairs", "https://acme.com/help/warranty")
        with acting_as(stocked):
            assert Chunk.objects.get(pk=hit.chunk_id).content == hit.content
        assert 0 < hit.scores.vector <= 1
        assert hit.scores.keyword > 0


class TestConfidence:
    def test_a_question_covered_by_a_page_is_supported(self, stocked):
        outcome = search.search(stocked, "Where does the leak sensor stand under the washing machine?")
        assert outcome.supported
        assert 0.36 < outcome.confidence <= 1

    def test_a_question_about_nothing_we_know_is_not(self, stocked):
        outcome = search.search(stocked, "Which enzyme breaks down lactose?")
        assert not outcome.supported
        assert outcome.confidence < 0.2

    def test_an_empty_knowledge_base_answers_nothing(self, acme, bolt):
        corpus.load(bolt, "bolt")
        outcome = search.search(acme, "How do I start a ride?")
        assert (outcome.results, outcome.confidence, outcome.supported) == ((), 0.0, False)


class TestFilters:
    def test_a_category_limits_the_documents(self, stocked):
        outcome = search.search(stocked, "How do I reset the hub?", category="orders", limit=50)
        assert {hit.external_id for hit in outcome.results} <= {"shipping", "returns", "warranty"}
        assert outcome.results

    def test_a_collection_limits_the_documents(self, acme, bolt):
        for name in ("public", "internal"):
            corpus.add(acme, title=name, content="How to reset the hub.", collection=name)
        corpus.add(bolt, title="bolt", content="How to reset the hub.", collection="internal")
        (hit,) = search.search(acme, "reset the hub", collection="internal").results
        assert hit.title == "internal"

    @pytest.mark.parametrize("category", ["nothing", "' OR true --", ""])
    def test_an_unknown_category_has_no_documents(self, stocked, category):
        assert search.search(stocked, "hub", category=category).results == ()

    @pytest.mark.parametrize("limit", [1, 3, 50])
    def test_the_limit_counts_passages(self, stocked, limit):
        with acting_as(stocked):
            known = Chunk.objects.count()
        found = len(search.search(stocked, "hub lock plug sensor device app home", limit=limit).results)
        assert found == limit if limit < 10 else 20 < found <= known


class TestTenants:
    @pytest.fixture
    def overlapping(self, acme, bolt, cargo):
        """The same external ids and nearly the same words in three tenants, one in a schema of its own."""
        for tenant in (acme, bolt, cargo):
            for page in ("one", "two"):
                corpus.add(
                    tenant,
                    title=page,
                    content=f"The {tenant.slug} manual on page {page}: reset the hub.",
                    external_id=page,
                )
        return acme, bolt, cargo

    def test_each_finds_its_own_only(self, overlapping):
        for tenant in overlapping:
            results = search.search(tenant, "reset the hub manual page one", limit=50).results
            assert len(results) == 2
            assert all(tenant.slug in hit.content for hit in results)

    def test_another_tenants_documents_do_not_change_the_ranking(self, overlapping):
        acme, bolt, _ = overlapping
        before = [(hit.chunk_id, hit.score) for hit in search.search(acme, "reset page two").results]
        for number in range(20):
            corpus.add(bolt, title=f"t{number}", content="reset page two " * 20)
        assert [(hit.chunk_id, hit.score) for hit in search.search(acme, "reset page two").results] == before

    def test_without_a_tenant_nothing_is_found(self, overlapping):
        embeddings = wait_for(search.embed_query("reset the hub"))
        with pytest.raises(TenantContextError):
            search.find("reset the hub", embeddings)

    def test_nobody_searches_for_another_tenant(self, overlapping):
        acme, bolt, _ = overlapping
        with acting_as(acme), pytest.raises(TenantContextError):
            search.search(bolt, "reset the hub")

    def test_vectors_of_another_model_are_not_compared(self, overlapping):
        acme, *_ = overlapping
        with acting_as(acme):
            ChunkEmbedding.objects.update(embedding_model="another")
        hits = search.search(acme, "reset the hub").results
        assert [hit.scores.vector for hit in hits] == [0.0, 0.0]


class TestAsking:
    @pytest.mark.parametrize(
        ("question", "limit", "field"),
        [
            ("", 10, "query"),
            (" \n", 10, "query"),
            ("x" * 2_001, 10, "query"),
            ("x", 0, "limit"),
            ("x", 51, "limit"),
        ],
    )
    def test_what_is_not_allowed_is_named(self, stocked, question, limit, field):
        with pytest.raises(InvalidInput) as refused:
            search.search(stocked, question, limit=limit)
        assert [error.field for error in refused.value.errors] == [field]

    def test_a_search_is_booked(self, stocked):
        with acting_as(stocked):
            before = CostEvent.objects.filter(feature="search").count()
        search.search(stocked, "two words")
        with acting_as(stocked):
            event = CostEvent.objects.filter(feature="search").latest("id")
            assert CostEvent.objects.filter(feature="search").count() == before + 1
        assert (event.service, event.model, event.cost_usd, event.input_tokens) == (
            "embedding",
            "hashing",
            0,
            2,
        )

    async def test_async_callers_find_the_same(self, transactional_db, acme):
        await run_as(acme, lambda: None)
        await _add(acme)
        outcome = await search.asearch(acme, "reset the hub")
        assert [hit.title for hit in outcome.results] == ["Reset"]

    def test_the_last_turn_stands_alone_for_the_intent(self):
        query = search.prepare(
            "thanks,\nthat solved it", [{"role": "user", "content": "How do I reset\nthe hub?"}]
        )
        assert query == "How do I reset the hub?\nthanks, that solved it"
        assert len(wait_for(search.embed_query(query)).vectors) == 2
        assert search.prepare("alone") == "alone"


async def _add(tenant):
    from asgiref.sync import sync_to_async

    await sync_to_async(corpus.add, thread_sensitive=True)(
        tenant, title="Reset", content="How to reset the hub."
    )
