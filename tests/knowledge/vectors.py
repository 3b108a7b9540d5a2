"""Tenants with many made-up vectors, what the nearest of them are, and what search says they are."""

from contextlib import contextmanager

import numpy as np
import psycopg
from django.conf import settings
from django.db import connection

from ai.embedding import Embeddings
from ai.usage import Usage
from config import env
from kernel.ids import uuid7
from knowledge.models import Document, KnowledgeTotals
from knowledge.search import find
from knowledge.statements import statement
from knowledge.vector_index import deciding
from tenants.context import acting_as
from tenants.models import Tenant
from tenants.partitions import tenant_of
from tests import servers
from tests.database import DEDICATED_SCHEMA

MODEL = "made-up"


class Vectors:
    """A tenant's vectors by chunk: kept here to know the exact answer."""

    def __init__(self, tenant, seed=1):
        self.tenant, self.numbers, self.by_chunk = tenant, np.random.default_rng(seed), {}

    def add(self, count, collection=""):
        """A new document of `count` chunks, published; its id."""
        vectors = self.numbers.standard_normal((count, 1024)).astype(np.float32)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        ids = [uuid7() for _ in range(count)]
        with acting_as(self.tenant), connection.cursor() as cursor:
            KnowledgeTotals.objects.bulk_create([KnowledgeTotals()], ignore_conflicts=True)
            totals = KnowledgeTotals.objects.select_for_update().get()
            document = Document.objects.create(
                title="Vectors", collection=collection, status="ready", version=1, latest=1
            )
            cursor.execute(statement("free_chunk_numbers"), {"wanted": count})
            numbers = [number for (number,) in cursor.fetchall()]
            cursor.execute(
                statement("add_chunks"),
                {
                    "tenant": self.tenant.pk, "document": document.pk, "version": 1, "ids": ids, "numbers": numbers,
                    "contents": ["x"] * count, "headings": [""] * count, "tokens": [1] * count,
                    "embeddings": [str(row.tolist()) for row in vectors.astype(np.float16)], "model": MODEL,
                },
            )  # fmt: skip
            totals.chunks += count
            totals.stemmers = {"english": totals.chunks}
            totals.save()
            deciding.reconsider(totals.chunks)
        self.by_chunk |= dict(zip(ids, vectors, strict=True))
        return document.pk

    def remove(self, document_id):
        """Take a document out, as withdrawing does."""
        with acting_as(self.tenant), connection.cursor() as cursor:
            totals = KnowledgeTotals.objects.select_for_update().get()
            cursor.execute("DELETE FROM knowledge_chunks WHERE document_id = %s RETURNING id", [document_id])
            gone = [chunk for (chunk,) in cursor.fetchall()]
            totals.chunks -= len(gone)
            totals.save()
            deciding.reconsider(totals.chunks)
        for chunk in gone:
            del self.by_chunk[chunk]

    def question(self):
        """A unit vector near one of the tenant's own."""
        chosen = list(self.by_chunk.values())[self.numbers.integers(len(self.by_chunk))]
        vector = chosen + 0.01 * self.numbers.standard_normal(1024).astype(np.float32)
        return vector / np.linalg.norm(vector)

    def nearest(self, vector, among=None):
        """The ten chunks nearest to it, exactly; fewer where others point away from it, which search leaves out."""
        chosen = [(chunk, v) for chunk, v in self.by_chunk.items() if among is None or chunk in among]
        cosines = np.array([v for _, v in chosen]) @ vector
        return {chosen[at][0] for at in np.argsort(-cosines)[:10] if cosines[at] > 0.0101}

    def recall(self, questions=10, tenant=None, among=None, **filters):
        """The share of the ten nearest that search finds, over some questions."""
        shares = []
        for _ in range(questions):
            vector = self.question()
            nearest = self.nearest(vector, among)
            if nearest:
                found_here = found(tenant or self.tenant, vector, **filters)
                shares.append(len(nearest & found_here) / len(nearest))
        return sum(shares) / len(shares)


def found(tenant, vector, **filters):
    """The chunks that search finds by meaning alone."""
    embeddings = Embeddings(np.array([vector], dtype=np.float32), Usage(), "tests", MODEL, 0)
    with acting_as(tenant):
        return {hit.chunk_id for hit in find("", embeddings, limit=10, **filters).results}


def wants_graph_from(tenant, chunks):
    """Give the tenant a threshold of its own."""
    with acting_as(tenant):
        Tenant.objects.filter(pk=tenant.pk).update(settings={"features": {deciding.FEATURE: chunks}})


def superuser():
    """A connection that no policy binds, in autocommit."""
    return psycopg.connect(
        servers.url(env.SUPERUSER_ROLE, settings.DATABASES["default"]["NAME"]), autocommit=True
    )


def own_partitions():
    """The partitions of one tenant that stand in the pool, attached or not."""
    with superuser() as database:
        names = database.execute(
            "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'pool'::regnamespace"
        ).fetchall()
    return [name for (name,) in names if tenant_of(name)]


@contextmanager
def tidied():
    """Leaves the tables as the migrations made them."""
    yield
    connection.close()
    with superuser() as database:
        for name in own_partitions():
            database.execute(f"DROP TABLE pool.{name}")
        for schema in ("pool", DEDICATED_SCHEMA):
            database.execute(f"DROP INDEX IF EXISTS {schema}.chunk_embeddings_default_hnsw")
        for (check,) in database.execute(
            "SELECT conname FROM pg_constraint WHERE conname LIKE 'chunk_embeddings_without_%'"
        ).fetchall():
            database.execute(f"ALTER TABLE pool.chunk_embeddings_default DROP CONSTRAINT {check}")
