"""The search statement's plan, as the application's role under row-level security: it enters every table by an index
that starts with the tenant, however large the tables are, and reads the vectors' codes from the index alone."""

import json
import time

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from ai.embedding import embedder, wait_for
from config import env
from knowledge import search
from knowledge.models import Document
from knowledge.statements import FOLDER, statement
from tenants.context import acting_as
from tests import servers
from tests.knowledge import corpus

MANY = 1_500
SEEN_BY_ALL = (
    "SELECT relallvisible >= relpages FROM pg_class WHERE oid = 'pool.chunk_embeddings_default'::regclass"
)


@pytest.fixture
def crowded(transactional_db, acme, bolt):
    """Bolt's chunks outnumber acme's a hundred to one; the planner knows, and the visibility map is set."""
    corpus.add(acme, title="Reset", content="How to reset the hub. " * 30)
    corpus.add(
        bolt,
        title="Many",
        content="\n\n".join(f"# Part {n}\n\n{'Reset the hub again. ' * 32}" for n in range(MANY)),
    )
    with acting_as(bolt):
        Document.objects.bulk_create([Document(title=f"Page {n}") for n in range(MANY)])
    with psycopg.connect(
        servers.url(env.SUPERUSER_ROLE, settings.DATABASES["default"]["NAME"]), autocommit=True
    ) as owner:
        owner.execute("SET search_path = pool, public")
        # The test server commits asynchronously, and a vacuum marks only pages whose commits have reached the log.
        owner.execute("SET synchronous_commit = on")
        owner.execute("SELECT pg_current_xact_id()")
        for table in (
            "knowledge_chunks",
            "knowledge_documents",
            "knowledge_postings",
            "chunk_embeddings_default",
        ):
            owner.execute(f"VACUUM ANALYZE {table}")
        # A transaction of a test before, or autovacuum, may still have kept it from marking pages as seen by all.
        deadline = time.monotonic() + 20
        while not owner.execute(SEEN_BY_ALL).fetchone()[0] and time.monotonic() < deadline:
            time.sleep(0.2)
            owner.execute("VACUUM ANALYZE chunk_embeddings_default")
    return acme


def nodes(node):
    yield node
    for child in node.get("Plans", []):
        yield from nodes(child)


def explained(tenant, question, **filters):
    vector = wait_for(embedder().embed([question], kind="query")).vectors[0]
    with acting_as(tenant), connection.cursor() as cursor:
        cursor.execute(
            "EXPLAIN (ANALYZE, FORMAT JSON) " + statement("search"),
            search.parameters(question, vector, "hashing", 10, **filters),
        )
        found = cursor.fetchone()[0]
    found = json.loads(found) if isinstance(found, str) else found
    return list(nodes(found[0]["Plan"]))


@pytest.mark.parametrize("filters", [{}, {"categories": ["orders"]}, {"collections": ["a", "b"]}])
def test_no_table_is_read_through(crowded, filters):
    for node in explained(crowded, "How do I reset the hub?", **filters):
        assert node["Node Type"] != "Seq Scan" or node["Relation Name"] == "knowledge_totals"


def test_words_are_looked_up_by_tenant_and_lexeme(crowded):
    (postings,) = [
        node
        for node in explained(crowded, "reset the hub")
        if node.get("Relation Name") == "knowledge_postings" and "Index Cond" in node
    ]
    assert postings["Index Name"] == "knowledge_postings_pkey"
    assert "tenant_id" in postings["Index Cond"]
    assert "lexeme" in postings["Index Cond"]
    assert "Filter" not in postings


def test_codes_are_read_from_the_index_alone(crowded, bolt):
    (codes,) = [
        node
        for node in explained(bolt, "reset the hub")
        if node["Node Type"] == "Index Only Scan" and node["Relation Name"] == "chunk_embeddings_default"
    ]
    assert "tenant_id" in codes["Index Cond"]
    assert codes["Actual Rows"] > MANY / 2
    # A page that a vacuum could not mark yet may be looked at; one row in a hundred would be a broken index.
    assert codes["Heap Fetches"] <= codes["Actual Rows"] / 100


def test_a_small_tenant_reads_nothing_of_a_large_one(crowded):
    read = [
        node["Actual Rows"] * node["Actual Loops"] + node.get("Rows Removed by Filter", 0)
        for node in explained(crowded, "reset the hub")
        if node.get("Relation Name", "").startswith(("knowledge_", "chunk_"))
    ]
    assert max(read) < 100


def test_every_statement_is_used():
    used = "".join(path.read_text() for path in FOLDER.parent.rglob("*.py"))
    assert [path.stem for path in FOLDER.glob("*.sql") if path.stem not in used] == []
