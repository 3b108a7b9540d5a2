"""Tenants that grow get a graph and those that shrink lose it: decided by size, searched alike, guarded alike."""

from io import StringIO

import psycopg
import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import given
from hypothesis import strategies as st

from knowledge.models import ChunkEmbedding, VectorIndex, VectorIndexKind
from knowledge.storage import DEFAULT_PARTITION
from knowledge.vector_index import changing, deciding, hnsw
from knowledge.vector_index.maintaining import carry_out, drop_orphans
from knowledge.vector_index.partition import TABLE
from tenants.context import TenantRef, acting_as
from tenants.owned_tables import owned_tables
from tenants.owner import owner_connection
from tenants.partitions import own_partition
from tenants.roles import problems
from tests import servers
from tests.database import DEDICATED_SCHEMA
from tests.isolation import test_catalogue
from tests.knowledge import corpus
from tests.knowledge.vectors import Vectors, found, own_partitions, superuser, tidied, wants_graph_from

pytestmark = pytest.mark.django_db(transaction=True)

MANY, LEAST = 400, 300


@pytest.fixture
def stage(transactional_db):
    with tidied():
        yield


@pytest.fixture
def large(stage, acme, bolt):
    """Acme's vectors, more than it takes, and bolt's, which are nobody else's business."""
    wants_graph_from(acme, LEAST)
    Vectors(bolt, seed=2).add(50)
    vectors = Vectors(acme)
    vectors.add(MANY)
    return vectors


def index_of(tenant):
    with acting_as(tenant):
        return VectorIndex.objects.first()


def standing(tenant):
    """How many of the tenant's vectors stand in which table."""
    with superuser() as database:
        rows = database.execute(
            "SELECT tableoid::regclass::text, count(*) FROM pool.chunk_embeddings WHERE tenant_id = %s GROUP BY 1",
            [tenant.pk],
        ).fetchall()
    return {name.removeprefix("pool."): count for name, count in rows}


def has_graph(table, schema="pool"):
    with superuser() as database:
        found = database.execute(
            "SELECT indexdef FROM pg_indexes WHERE schemaname = %s AND indexname = %s",
            [schema, f"{table}_hnsw"],
        ).fetchone()
    return bool(found) and "halfvec_cosine_ops) WITH (m='16', ef_construction='64')" in found[0]


def test_a_large_tenant_gets_a_partition_with_a_graph(large, acme, bolt):
    assert index_of(acme).status == "pending"
    assert large.recall() == 1.0
    assert carry_out(corpus.ref(acme))
    own = own_partition(TABLE, acme.pk)
    assert standing(acme) == {own: MANY}
    assert has_graph(own)
    index = index_of(acme)
    assert (index.kind, index.status, index.progress, index.error) == ("hnsw", "done", 1.0, "")
    assert index.started_at <= index.finished_at
    assert large.recall() >= 0.98
    assert index_of(bolt) is None
    assert standing(bolt) == {"chunk_embeddings_default": 50}


def test_what_is_published_afterwards_goes_there_and_is_found(large, acme):
    carry_out(corpus.ref(acme))
    document = large.add(30)
    assert standing(acme) == {own_partition(TABLE, acme.pk): MANY + 30}
    assert large.recall() >= 0.98
    large.remove(document)
    assert standing(acme) == {own_partition(TABLE, acme.pk): MANY}
    assert large.recall() >= 0.98


def test_a_partition_is_closed_by_name_and_guarded_like_its_parent(large, acme, bolt):
    carry_out(corpus.ref(acme))
    own = own_partition(TABLE, acme.pk)
    for tenant in (acme, bolt):
        with (
            pytest.raises(Exception, match="permission denied"),
            acting_as(tenant),
            connection.cursor() as cursor,
        ):
            cursor.execute(f"SELECT count(*) FROM {own}")
    with superuser() as database:
        database.execute(f"GRANT ALL ON pool.{own} TO frontdesk_app")
        name = database.info.dbname
    with psycopg.connect(servers.url("frontdesk_app", name)) as application:
        assert application.execute(f"SELECT count(*) FROM pool.{own}").fetchone() == (0,)
    for tenant, seen in ((acme, MANY), (bolt, 0)):
        with acting_as(tenant), connection.cursor() as cursor:
            cursor.execute(f"SELECT count(*) FROM {own}")
            assert cursor.fetchone() == (seen,)
    with superuser() as database:
        database.execute(f"REVOKE ALL ON pool.{own} FROM frontdesk_app")
    with acting_as(bolt):
        assert ChunkEmbedding.objects.count() == 50
    assert problems() == []
    test_catalogue.test_every_table_is_guarded_or_listed()
    test_catalogue.test_every_index_of_a_tenants_table_begins_with_the_tenant()
    test_catalogue.test_both_kinds_of_schema_are_made_alike()


def test_search_of_another_tenant_finds_nothing_of_it(large, acme, bolt):
    carry_out(corpus.ref(acme))
    for _ in range(5):
        seen = found(bolt, large.question())
        assert seen
        assert seen.isdisjoint(large.by_chunk)


@pytest.mark.parametrize("share", [0.5, 0.02])
def test_filters_keep_their_recall(large, acme, share):
    document = large.add(int(MANY * share), collection="manuals")
    carry_out(corpus.ref(acme))
    with acting_as(acme):
        among = set(
            ChunkEmbedding.objects.filter(chunk__document_id=document).values_list("chunk_id", flat=True)
        )
    assert len(among) == int(MANY * share)
    assert large.recall(among=among, collections=["manuals"]) >= 0.98


@pytest.mark.parametrize("moved_at_once", [1_000, 10])
def test_a_shrunken_tenant_loses_its_graph(large, acme, monkeypatch, moved_at_once):
    monkeypatch.setattr(changing, "MOVED_AT_ONCE", moved_at_once)
    carry_out(corpus.ref(acme))
    with acting_as(acme):
        (document,) = set(ChunkEmbedding.objects.values_list("chunk__document_id", flat=True))
    kept = large.add(100)
    large.remove(document)
    assert index_of(acme).wanted == "codes"
    assert carry_out(corpus.ref(acme))
    own = own_partition(TABLE, acme.pk)
    assert not has_graph(own)
    assert standing(acme) == ({"chunk_embeddings_default": 100} if moved_at_once > 100 else {own: 100})
    assert (index_of(acme).kind, index_of(acme).status) == ("codes", "done")
    assert large.recall() == 1.0
    large.add(MANY)
    assert carry_out(corpus.ref(acme))
    assert standing(acme) == {own: MANY + 100}
    assert large.recall() >= 0.98
    assert kept


def test_a_dedicated_tenants_own_table_gets_the_graph(stage, cargo):
    wants_graph_from(cargo, LEAST)
    vectors = Vectors(cargo)
    document = vectors.add(MANY)
    vectors.add(100)
    assert carry_out(corpus.ref(cargo))
    assert has_graph("chunk_embeddings_default", cargo.schema_name)
    assert own_partitions() == []
    assert vectors.recall() >= 0.98
    vectors.remove(document)
    assert carry_out(corpus.ref(cargo))
    assert not has_graph("chunk_embeddings_default", cargo.schema_name)
    assert vectors.recall() == 1.0


def test_what_a_deleted_tenant_leaves_is_dropped(large, acme, bolt):
    carry_out(corpus.ref(acme))
    wants_graph_from(bolt, 10)
    Vectors(bolt).add(20)
    carry_out(corpus.ref(bolt))
    assert len(own_partitions()) == 2
    # The application may not: what was recorded of a tenant is not its to delete.
    with superuser() as server:
        for table in reversed(owned_tables()):
            schema = "public" if table.in_directory else "pool"
            server.execute(f'DELETE FROM {schema}."{table.name}" WHERE tenant_id = %s', [acme.pk])
        server.execute("DELETE FROM public.tenants WHERE id = %s", [acme.pk])
    lines = []
    drop_orphans(lines.append)
    assert own_partitions() == [own_partition(TABLE, bolt.pk)]
    assert len(lines) == 1


def test_schema_check_knows_partitions_and_their_guards(large, acme):
    carry_out(corpus.ref(acme))
    own = own_partition(TABLE, acme.pk)
    out = StringIO()
    call_command("schema_check", stdout=out)
    assert "pool: as promised" in out.getvalue()
    with superuser() as database:
        database.execute(f"ALTER TABLE pool.{own} NO FORCE ROW LEVEL SECURITY")
        database.execute(f"GRANT SELECT ON pool.{own} TO frontdesk_app")
        database.execute(f"DROP POLICY tenant_isolation ON pool.{own}")
    out = StringIO()
    with pytest.raises(CommandError):
        call_command("schema_check", stdout=out)
    for expected in (f"- policy {own}", f"+ grant {own} frontdesk_app SELECT", f"- table {own}"):
        assert expected in out.getvalue()


def test_maintain_does_it_with_progress(large, acme, monkeypatch):
    monkeypatch.setattr("knowledge.vector_index.maintaining._swept_at", float("-inf"))
    out = StringIO()
    call_command("maintain", "--once", stdout=out)
    assert "acme: copying, 0 %" in out.getvalue().replace("%", " %").replace("  %", " %")
    assert "acme: done, searched by HNSW" in out.getvalue()
    assert standing(acme) == {own_partition(TABLE, acme.pk): MANY}


def test_the_setting_decides_where_a_tenant_says_nothing(stage, acme, bolt, settings):
    Vectors(acme).add(40)
    wants_graph_from(bolt, 100)
    Vectors(bolt).add(40)
    assert index_of(acme) is None
    settings.HNSW_MIN_CHUNKS = 30
    assert deciding.reconsider_everybody() == 1
    assert index_of(acme).wanted == "hnsw"
    assert index_of(bolt) is None
    assert deciding.reconsider_everybody() == 0


@pytest.mark.parametrize("own", [None, 0, -1, True, "12", 2.5])
def test_a_wrong_override_is_none(own, settings):
    settings.HNSW_MIN_CHUNKS = 7
    assert deciding.min_chunks({"features": {"hnswMinChunks": own}}) == 7
    assert deciding.min_chunks({"features": own}) == 7
    assert deciding.min_chunks({"features": {"hnswMinChunks": 9}}) == 9


@given(sizes=st.lists(st.integers(0, 300), min_size=1), least=st.integers(1, 200))
def test_nobody_goes_to_and_fro(sizes, least):
    kind = VectorIndexKind.CODES
    for size in sizes:
        before, kind = kind, deciding.wanted_kind(size, least, kind)
        if size >= least:
            assert kind == "hnsw"
        elif size * 2 < least:
            assert kind == "codes"
        else:
            assert kind == before


def test_what_a_tenant_leaves_that_moves_out_of_the_pool_is_dropped_and_its_graph_made_anew(
    large, acme, bolt
):
    carry_out(corpus.ref(acme))
    assert own_partitions() == [own_partition(TABLE, acme.pk)]
    call_command("move_tenant", "acme", to="dedicated", schema=DEDICATED_SCHEMA, stdout=StringIO())
    with acting_as(corpus.ref(acme)):
        assert ChunkEmbedding.objects.count() == MANY
        assert VectorIndex.objects.get().kind == VectorIndexKind.CODES
    lines = []
    drop_orphans(lines.append)
    assert own_partitions() == []
    assert len(lines) == 1
    try:
        assert carry_out(TenantRef(acme.pk, DEDICATED_SCHEMA))
        with acting_as(corpus.ref(acme)):
            assert VectorIndex.objects.get().kind == VectorIndexKind.HNSW
        assert hnsw._state(DEDICATED_SCHEMA, DEFAULT_PARTITION) is True
    finally:
        with owner_connection():
            hnsw.drop(DEDICATED_SCHEMA, DEFAULT_PARTITION)
