"""A search that is planned once per connection: the plan a small tenant left behind serves a large one as well."""

import pytest
from django.db import connection

from knowledge import search
from tenants.context import acting_as
from tests.knowledge.vectors import Vectors, found, tidied

pytestmark = pytest.mark.django_db(transaction=True)

MORE_THAN_CUSTOM_PLANS = 8
"""PostgreSQL plans a prepared statement anew five times before it keeps a plan."""


@pytest.fixture
def pair(transactional_db, acme, bolt):
    """A tenant with few chunks and one with many, neither with a graph."""
    search._without_graph.clear()
    with tidied():
        vectors = Vectors(acme), Vectors(bolt, seed=2)
        vectors[0].add(20)
        vectors[1].add(1_500)
        yield vectors


def prepared():
    """How often the connection's prepared searches were planned for good and for the moment."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT sum(generic_plans), sum(custom_plans) FROM pg_prepared_statements WHERE statement LIKE %s",
            ["%knowledge_postings%"],
        )
        return cursor.fetchone()


def test_the_plan_of_a_small_tenant_serves_a_large_one(request, pair):
    small, large = pair
    with connection.cursor() as cursor:
        # Whether PostgreSQL would keep a plan depends on what a vacuum has counted by now: here it does.
        cursor.execute("SET plan_cache_mode = force_generic_plan")
    request.addfinalizer(connection.close)
    for _ in range(1 + MORE_THAN_CUSTOM_PLANS):
        assert set(found(small.tenant, small.question())) <= small.by_chunk.keys()
    generic, _ = prepared()
    assert generic > 0
    for _ in range(20):
        vector = large.question()
        by_kept_plan = found(large.tenant, vector)
        search._without_graph.clear()
        assert by_kept_plan == found(large.tenant, vector)  # which is planned for this tenant
        assert by_kept_plan <= large.by_chunk.keys()


def test_prepared_or_not_the_same_is_found(pair):
    for vectors in pair:
        vector = vectors.question()
        assert vectors.tenant.pk not in search._without_graph
        unprepared = found(vectors.tenant, vector)
        assert vectors.tenant.pk in search._without_graph
        assert found(vectors.tenant, vector) == unprepared


def test_a_filtered_search_is_not_prepared(pair):
    small, _ = pair
    found(small.tenant, small.question())
    before = prepared()
    with acting_as(small.tenant):
        found(small.tenant, small.question(), collections=["none"])
    assert prepared() == before
