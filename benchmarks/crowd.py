"""Many tenants of skewed size with synthetic chunks, written straight into a copy's database: for search_latency."""

import random
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

import numpy as np
import psycopg
from numpy.typing import NDArray
from psycopg.types.json import Jsonb

from ai.embedding.local import MODEL, OWN_DIMENSIONS
from ai.embedding.spreading import spread
from kernel.ids import uuid7
from knowledge.statements import statement
from tenants.creating import create_tenant

VOCABULARY: Final = 20_000
WORDS_PER_CHUNK: Final = 120
CHUNKS_PER_DOCUMENT: Final = 20
STEP: Final = 2_000
NOISE: Final = 0.6
SYLLABLES: Final = (
    "ba",
    "do",
    "fe",
    "gu",
    "ki",
    "lo",
    "ma",
    "ne",
    "pi",
    "ru",
    "sa",
    "to",
    "vu",
    "wi",
    "xe",
    "zo",
)

Vector = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Crowded:
    """A tenant with its chunks' vectors (n, 1024), for the exact answer, and its topics."""

    id: uuid.UUID
    slug: str
    chunk_ids: list[uuid.UUID]
    vectors: Vector
    topics: Vector


class Inventor:
    """Makes up texts by Zipf's law and vectors around topics; the same seed, the same data."""

    def __init__(self, seed: int) -> None:
        self.numbers = np.random.default_rng(seed)
        self.choices = random.Random(seed)
        self.vocabulary = sorted({self._word() for _ in range(VOCABULARY)})
        self.choices.shuffle(self.vocabulary)
        self.ranks = list(accumulate(1 / (rank + 3) for rank in range(len(self.vocabulary))))

    def words(self, count: int) -> str:
        """`count` words, the commonest as common as in a language."""
        return " ".join(self.choices.choices(self.vocabulary, cum_weights=self.ranks, k=count))

    def directions(self, count: int) -> Vector:
        """`count` random unit vectors."""
        return spread(unit(self.numbers.standard_normal((count, OWN_DIMENSIONS), dtype=np.float32)))

    def around(self, topics: Vector, count: int) -> Vector:
        """`count` unit vectors, each near one of `topics`."""
        chosen = topics[self.numbers.integers(len(topics), size=count)]
        return unit(chosen + NOISE * self.directions(count))

    def _word(self) -> str:
        return "".join(self.choices.choices(SYLLABLES, k=self.choices.randint(2, 4)))


def unit(vectors: Vector) -> Vector:
    """`vectors` at unit length."""
    return np.asarray(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), dtype=np.float32)


def populate(database: "psycopg.Connection[Any]", slug: str, size: int, invent: Inventor) -> Crowded:
    """A new tenant with `size` chunks that search finds. `database`: a superuser's connection, its path the pool."""
    tenant = create_tenant(slug, slug)
    topics = invent.directions(max(4, int(size**0.5)))
    vectors = invent.around(topics, size)
    ids = [uuid7() for _ in range(size)]
    words = 0
    for start in range(0, size, STEP):
        part = range(start, min(start + STEP, size))
        texts = [invent.words(WORDS_PER_CHUNK) for _ in part]
        _write(database, tenant.pk, [ids[at] for at in part], part, texts, vectors[start : part.stop])
        found = database.execute(
            statement("add_postings"),
            {"tenant": tenant.pk, "stemmer": "english", "numbers": list(part), "texts": texts},
        ).fetchone()
        words += int(found[0]) if found else 0
    database.execute(
        "INSERT INTO knowledge_totals (tenant_id, chunks, words, stemmers) VALUES (%s, %s, %s, %s)",
        [tenant.pk, size, words, Jsonb({"english": size})],
    )
    return Crowded(tenant.pk, slug, ids, vectors, topics)


def _write(
    database: "psycopg.Connection[Any]", tenant: uuid.UUID, ids: list[uuid.UUID], numbers: range, texts: list[str],
    vectors: Vector,
) -> None:  # fmt: skip
    cursor = database.cursor()
    documents = {number: uuid7() for number in numbers if number % CHUNKS_PER_DOCUMENT == 0}
    with cursor.copy(
        "COPY knowledge_documents (id, tenant_id, title, status, version, latest) FROM STDIN"
    ) as copy:
        for number, document in documents.items():
            copy.write_row((document, tenant, f"Document {number}", "ready", 1, 1))
    columns = "id, tenant_id, document_id, version, position, number, content"
    with cursor.copy(f"COPY knowledge_chunks ({columns}) FROM STDIN") as copy:
        for identifier, number, text in zip(ids, numbers, texts, strict=True):
            position = number % CHUNKS_PER_DOCUMENT
            copy.write_row((identifier, tenant, documents[number - position], 1, position, number, text))
    with cursor.copy(
        "COPY chunk_embeddings (tenant_id, chunk_id, embedding, embedding_model) FROM STDIN"
    ) as copy:
        for identifier, literal in zip(ids, _literals(vectors), strict=True):
            copy.write_row((tenant, identifier, literal, MODEL))


def _literals(vectors: Vector) -> Iterator[str]:
    for row in vectors.astype(np.float16):
        yield str(row.tolist())
