"""One statement, two plans: the graph of a tenant that has one, the codes of everybody else, in one message."""

import json

import pytest
from django.db import connection

from knowledge import search
from knowledge.statements import statement
from knowledge.vector_index.maintaining import carry_out
from knowledge.vector_index.partition import TABLE
from tenants.context import acting_as
from tenants.partitions import own_partition
from tests.knowledge import corpus
from tests.knowledge.test_plans import nodes
from tests.knowledge.vectors import MODEL, Vectors, found, tidied, wants_graph_from

pytestmark = pytest.mark.django_db(transaction=True)

MANY = 400


@pytest.fixture
def pair(transactional_db, acme, bolt):
    """Two tenants alike, but that acme has a graph."""
    with tidied():
        wants_graph_from(acme, 300)
        vectors = Vectors(acme), Vectors(bolt, seed=2)
        for tenants_own in vectors:
            tenants_own.add(MANY)
        assert carry_out(corpus.ref(acme))
        yield vectors


def plan(vectors, **filters):
    """The nodes that read vectors and were executed."""
    with acting_as(vectors.tenant), connection.cursor() as cursor:
        cursor.execute(
            search.in_graph_order("EXPLAIN (ANALYZE, FORMAT JSON) " + statement("search")),
            search.parameters("", vectors.question(), MODEL, 10, **filters),
        )
        cursor.nextset()
        explained = cursor.fetchone()[0]
    explained = json.loads(explained) if isinstance(explained, str) else explained
    return [
        node
        for node in nodes(explained[0]["Plan"])
        if node.get("Relation Name", "").startswith(TABLE) and node["Actual Loops"]
    ]


def indexes(executed):
    return {node.get("Index Name") for node in executed}


def test_a_graph_is_walked_and_no_code_read(pair):
    acme, _ = pair
    own = own_partition(TABLE, acme.tenant.pk)
    graph, exact = plan(acme)
    assert (graph["Node Type"], graph["Index Name"]) == ("Index Scan", f"{own}_hnsw")
    assert graph["Actual Rows"] == search.POOL
    # The exact distances, chunk by chunk.
    assert (exact["Node Type"], exact["Index Name"]) == ("Index Scan", f"{own}_pkey")
    assert exact["Actual Loops"] == search.POOL


def test_codes_are_scanned_where_there_is_no_graph(pair):
    _, bolt = pair
    executed = plan(bolt)
    assert {node["Relation Name"] for node in executed} == {"chunk_embeddings_default"}
    # By which index of the tenant's, test_plans says, where others outnumber it.
    assert MANY in [node["Actual Rows"] for node in executed]


def test_a_broad_filter_walks_the_graph_and_a_narrow_one_scans_codes(pair):
    acme, _ = pair
    acme.add(MANY // 2, collection="broad")
    acme.add(20, collection="narrow")
    own = own_partition(TABLE, acme.tenant.pk)
    assert f"{own}_hnsw" in indexes(plan(acme, collections=["broad"]))
    executed = plan(acme, collections=["narrow"])
    assert f"{own}_hnsw" not in indexes(executed)
    assert {node["Relation Name"] for node in executed} == {own}


def test_other_tenants_partitions_are_not_even_planned(pair):
    acme, bolt = pair
    with acting_as(bolt.tenant), connection.cursor() as cursor:
        cursor.execute("EXPLAIN " + statement("search"), search.parameters("", bolt.question(), MODEL, 10))
        assert own_partition(TABLE, acme.tenant.pk) not in "\n".join(line for (line,) in cursor.fetchall())


def test_one_message_and_nothing_of_it_stays_but_the_width_of_the_walk(pair):
    acme, _ = pair
    sent = []

    def watch(execute, sql, params, many, context):
        sent.append(sql)
        return execute(sql, params, many, context)

    with acting_as(acme.tenant), connection.cursor() as cursor:
        cursor.execute("SELECT 1")
        with connection.execute_wrapper(watch):
            assert len(found(acme.tenant, acme.question())) == 10
        assert len([text for text in sent if "SAVEPOINT" not in text]) == 1
        cursor.execute("SELECT current_setting('enable_sort'), current_setting('hnsw.ef_search')")
        assert cursor.fetchone() == ("on", "200")
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('enable_sort'), current_setting('hnsw.ef_search')")
        assert cursor.fetchone() == ("on", "40")
