"""Finds the passages that answer a question: words and meaning, in one statement, as the acting tenant."""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

import numpy as np
import orjson
from django.db import connection

from ai.embedding import Embedder, Embeddings, Vectors, embedder, wait_for
from ai.usage import Usage
from billing.costs import ledger
from billing.costs.ledger import NewCostEvent
from kernel.errors import InvalidInput
from kernel.ids import uuid7
from knowledge import intents
from knowledge.confidence import Evidence, confidence, is_supported
from knowledge.language import STEMMERS, detect, stemmer
from knowledge.paying_embedder import aembedder_of, embedder_of, payer
from knowledge.statements import statement
from knowledge.wording import words
from tenants.context import TenantRef, acting_as, require_tenant, run_as
from tenants.db.prepared import prepared_cursor
from tenants.models import Tenant

POOL = 50
VECTOR_WEIGHT = 0.5
"""Of the fused score; the rest is the words'. Measured best among 0.4, 0.5 and 0.6 (design/measured.md section 5)."""
EARLIER_MEANING, EARLIER_WORDS = 0.5, 0.3
"""What the visitor's earlier turn counts for beside the question, in the query's vector and in its words' weights.
Measured on conversations over the demo's corpus: see tests/knowledge/test_conversations.py."""
MAX_LIMIT = 50
TENANTS_KNOWN = 10_000
CONSIDERED = 5
"""The passages that say how much of the question is covered; the statement returns at least as many."""
MAX_QUERY = 2_000
MAX_WORDS = 1_000
"""Characters of a question whose words are looked up: the last ones, where a long message asks."""


_without_graph: set[uuid.UUID] = set()


@dataclass(frozen=True, slots=True)
class Scores:
    """The parts of a score: cosine (-1 to 1, 0 where the passage came by its words alone) and BM25 (0 and up)."""

    vector: float
    keyword: float


@dataclass(frozen=True, slots=True)
class Hit:
    """One passage. `score` is above 0 and at most 1, comparable within one search only."""

    document_id: uuid.UUID
    external_id: str | None
    chunk_id: uuid.UUID
    title: str
    url: str | None
    content: str
    heading: str
    score: float
    scores: Scores


@dataclass(frozen=True, slots=True)
class SearchOutcome:
    """Passages, best first; how sure we are that they answer (0 to 1); and whether that is enough to answer."""

    results: tuple[Hit, ...]
    confidence: float
    supported: bool
    usage: Usage
    model: str


def prepare(question: str, history: Sequence[Mapping[str, str]] = ()) -> str:
    """The text to search by: the question, and before it, on a line of its own, what the visitor said last.

    `history` is oldest first, as {"role", "content"}. In conversations the earlier turn lifts nDCG from .79 to .85
    (design/measured.md section 5): "and how much is it?" is found by what "it" was. It counts for less than the
    question itself (EARLIER_MEANING, EARLIER_WORDS), or a new topic would be answered with the old one.
    """
    earlier = [turn["content"] for turn in history if turn.get("role") == "user"][-1:]
    return "\n".join(" ".join(text.split()) for text in [*earlier, question] if text.strip())


async def embed_query(query: str, chosen: Embedder | None = None) -> Embeddings:
    """The vectors of what `prepare` made: of all of it, the earlier turn weighted, and of the question alone where
    there was an earlier turn (small talk is recognised by what is said now). `chosen` is the tenant's
    (`knowledge.paying_embedder`), None the installation's. Raises ProviderError."""
    chosen = chosen or embedder()
    await intents.load(chosen)
    earlier, _, question = query.rpartition("\n")
    if not earlier:
        return await chosen.embed([question], kind="query")
    both = await chosen.embed([question, earlier], kind="query")
    mixed = both.vectors[0] + EARLIER_MEANING * both.vectors[1]
    return replace(both, vectors=np.stack([mixed / np.linalg.norm(mixed), both.vectors[0]]))


def find(
    query: str,
    embeddings: Embeddings,
    *,
    limit: int = 10,
    categories: Sequence[str] = (),
    collections: Sequence[str] = (),
    question: str | None = None,
) -> SearchOutcome:
    """Up to `limit` (1 to 50) passages of the acting tenant for `query` and its `embeddings`; one round trip.

    `categories` and `collections` limit the documents searched; empty: all. `question` is the last turn where it
    differs from the query. Raises InvalidInput for a limit out of range, TenantContextError outside `acting_as`.
    """
    if not 1 <= limit <= MAX_LIMIT:
        raise InvalidInput.of("limit", f"must be from 1 to {MAX_LIMIT}")
    require_tenant()
    vector = embeddings.vectors[0]
    rows = _rows(query, vector, embeddings.model, limit, categories, collections)
    if not rows:
        return SearchOutcome((), 0.0, False, embeddings.usage, embeddings.model)
    evidence = Evidence(
        best_cosine=rows[0].best_cosine or 0.0,
        coverage=max(row.coverage or 0.0 for row in rows[:CONSIDERED]),
        by_meaning=rows[0].vector_weight > 0,
    )
    sure = confidence(evidence, embeddings.model, embeddings.vectors[-1])
    return SearchOutcome(
        tuple(_hit(row) for row in rows[:limit]),
        sure,
        is_supported(sure, evidence, embeddings.model),
        embeddings.usage,
        embeddings.model,
    )


def search(
    tenant: TenantRef | Tenant,
    question: str,
    *,
    limit: int = 10,
    category: str | None = None,
    collection: str | None = None,
    history: Sequence[Mapping[str, str]] = (),
) -> SearchOutcome:
    """Search for a caller outside any transaction, and book what the question's embedding cost.

    Raises InvalidInput naming the field, ProviderError where the embedder fails.
    """
    check_question(question)
    query = prepare(question, history)
    embeddings = wait_for(embed_query(query, embedder_of(tenant)))
    with acting_as(tenant):
        return _find_and_book(query, embeddings, limit, category, collection)


async def asearch(
    tenant: TenantRef | Tenant,
    question: str,
    *,
    limit: int = 10,
    category: str | None = None,
    collection: str | None = None,
    history: Sequence[Mapping[str, str]] = (),
) -> SearchOutcome:
    """`search` for async callers."""
    check_question(question)
    query = prepare(question, history)
    embeddings = await embed_query(query, await aembedder_of(tenant))
    return await run_as(tenant, _find_and_book, query, embeddings, limit, category, collection)


def check_question(question: str) -> None:
    """Raises InvalidInput for a question that is blank or too long to be one."""
    if not question.strip():
        raise InvalidInput.of("query", "must not be blank")
    if len(question) > MAX_QUERY:
        raise InvalidInput.of("query", f"must have at most {MAX_QUERY:,} characters")


def _find_and_book(
    query: str, embeddings: Embeddings, limit: int, category: str | None, collection: str | None
) -> SearchOutcome:
    outcome = find(
        query,
        embeddings,
        limit=limit,
        categories=[] if category is None else [category],
        collections=[] if collection is None else [collection],
    )
    event = NewCostEvent(
        service="embedding",
        provider=embeddings.provider,
        model=embeddings.model,
        idempotency_key=f"search:{uuid7()}",
        feature="search",
        usage=embeddings.usage,
        latency_ms=embeddings.latency_ms,
        estimated=embeddings.usage.estimated,
        metadata=payer(embeddings),
    )
    ledger.record([event])
    return outcome


def parameters(
    query: str,
    vector: Vectors,
    model: str,
    limit: int,
    categories: Sequence[str] = (),
    collections: Sequence[str] = (),
) -> dict[str, Any]:
    """What the statement `search` is run with, for the acting tenant."""
    languages = embedder().languages
    earlier, _, question = query.replace("\0", " ").rpartition("\n")
    asked = words(question)[-MAX_WORDS:]
    return {
        "words": f"{asked} {words(earlier)[-MAX_WORDS:]}",
        "question": asked,
        "earlier_weight": EARLIER_WORDS,
        "stemmer": stemmer(detect(query)) if detect(query) else "",
        "languages": None if languages is None else [STEMMERS[code] for code in sorted(languages)],
        # As text, once: shortest digits of float32, a third of what str() would write.
        "vector": orjson.dumps(vector, option=orjson.OPT_SERIALIZE_NUMPY).decode(),
        "vector_weight": VECTOR_WEIGHT,
        "tenant": require_tenant().id,
        "model": model,
        "pool": POOL,
        "limit": limit,
        "everything": not categories and not collections,
        "categories": list(categories) or None,
        "collections": list(collections) or None,
    }


class _Row(NamedTuple):
    """A row of the statement `search`; its names are in the same order there."""

    document_id: uuid.UUID
    external_id: str | None
    chunk_id: uuid.UUID
    title: str
    url: str | None
    content: str
    heading: str
    score: float
    cosine: float | None
    bm25: float
    best_cosine: float | None
    vector_weight: float
    coverage: float | None
    vector_index: str


def _rows(
    query: str, vector: Vectors, model: str, limit: int, categories: Sequence[str], collections: Sequence[str]
) -> list[_Row]:
    given = parameters(query, vector, model, limit, categories, collections)
    tenant = given["tenant"]
    if given["everything"] and tenant in _without_graph:
        # Codes and postings have one sensible plan each, of whatever size the tenant is: it is made once, which saves
        # three quarters of the search's time. A graph has not, so its tenants' searches are planned each time.
        with prepared_cursor() as cursor:
            cursor.execute(statement("search"), given)
            rows = [_Row(*row) for row in cursor.fetchall()]
    else:
        with connection.cursor() as cursor:
            cursor.execute(in_graph_order(statement("search")), given)
            cursor.nextset()
            rows = [_Row(*row) for row in cursor.fetchall()]
    _note_graph(tenant, rows)
    return rows


def _note_graph(tenant: uuid.UUID, rows: list[_Row]) -> None:
    """Remember from each search how the tenant's next is to be sent. Wrong after a tenant has got or lost its graph,
    for one search: either way of sending it finds the same."""
    if rows and rows[0].vector_index != "hnsw":
        if len(_without_graph) >= TENANTS_KNOWN:
            _without_graph.clear()
        _without_graph.add(tenant)
    else:
        _without_graph.discard(tenant)


def in_graph_order(search: str) -> str:
    """The statement as it is sent, three in one message: its rows are the second result.

    Where there is a graph, its order is to be used whatever the planner thinks sorting would cost; all other sorts of
    the statement have no alternative, so this changes nothing for them. Settings of a transaction end with it, and this
    one before the transaction's next statement.
    """
    return f"SET LOCAL enable_sort = off; {search}; SET LOCAL enable_sort TO DEFAULT"


def _hit(row: _Row) -> Hit:
    return Hit(
        document_id=row.document_id,
        external_id=row.external_id,
        chunk_id=row.chunk_id,
        title=row.title,
        url=row.url or None,
        content=row.content,
        heading=row.heading,
        score=row.score,
        scores=Scores(row.cosine or 0.0, row.bm25),
    )
