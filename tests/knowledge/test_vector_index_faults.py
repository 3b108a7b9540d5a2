"""While a tenant's vectors move it is searched and taught; wherever maintain dies, the next one comes to the end."""

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import contextmanager

import psycopg
import pytest
from django.conf import settings
from django.db import connection

from config import env
from knowledge.models import KnowledgeTotals, VectorIndex, VectorIndexStatus
from knowledge.vector_index import changing, locking
from knowledge.vector_index.maintaining import carry_out
from knowledge.vector_index.partition import TABLE
from knowledge.vector_index.progress import Progress
from tenants.context import acting_as
from tenants.partitions import own_partition
from tests import servers
from tests.knowledge import corpus
from tests.knowledge.test_vector_index import index_of, standing
from tests.knowledge.vectors import Vectors, superuser, tidied, wants_graph_from

pytestmark = pytest.mark.django_db(transaction=True)

MANY, LEAST = 120, 100


class Killed(BaseException):
    """Nothing of ours runs after this, as after kill -9."""


@pytest.fixture
def large(transactional_db, acme, bolt):
    with tidied():
        wants_graph_from(acme, LEAST)
        Vectors(bolt, seed=2).add(50)
        vectors = Vectors(acme)
        vectors.add(MANY)
        yield vectors


@contextmanager
def killed_before(number):
    """Every statement on Django's connection from the `number`th on fails, clean-up too; yields how many there were."""
    ran = [0]

    def count(execute, sql, params, many, context):
        ran[0] += 1
        if ran[0] >= number:
            raise Killed
        return execute(sql, params, many, context)

    with connection.execute_wrapper(count):
        try:
            yield ran
        except Killed:
            pass
        finally:
            connection.close()


def is_right(vectors, kind):
    """Search finds what it should, and there is nothing half done."""
    tenant = vectors.tenant
    assert vectors.recall(5) >= 0.98
    assert sum(standing(tenant).values()) == len(vectors.by_chunk)
    if kind:
        index = index_of(tenant)
        assert (index.kind, index.status) == (kind, "done")
        with superuser() as database:
            checks = database.execute(
                "SELECT count(*) FROM pg_constraint WHERE conname LIKE 'chunk_embeddings_without_%'"
            ).fetchone()
        assert checks == (0,)


def test_killed_before_any_statement_of_a_promotion(large, acme):
    number = 0
    while True:
        number += 1
        with killed_before(number) as ran:
            carry_out(corpus.ref(acme), lambda line: None)
        is_right(large, None)
        if ran[0] < number:
            break
        if number % 4 == 0:  # now and then, what lies half done is finished before more of it is broken
            assert carry_out(corpus.ref(acme), lambda line: None)
            is_right(large, "hnsw")
            large.add(3)  # a promoted tenant can be taught
            with acting_as(acme):
                VectorIndex.objects.update(wanted="codes", status="pending")
            assert carry_out(corpus.ref(acme), lambda line: None)
            with acting_as(acme):
                VectorIndex.objects.update(wanted="hnsw", status="pending")
    assert number > 30
    is_right(large, "hnsw")


@pytest.mark.parametrize("moved_at_once", [1_000, 10])
def test_killed_before_any_statement_of_a_demotion(large, acme, monkeypatch, moved_at_once):
    monkeypatch.setattr(changing, "MOVED_AT_ONCE", moved_at_once)
    carry_out(corpus.ref(acme))
    with acting_as(acme):
        VectorIndex.objects.update(wanted="codes", status="pending")
    number = 0
    while True:
        number += 1
        with killed_before(number) as ran:
            carry_out(corpus.ref(acme), lambda line: None)
        is_right(large, None)
        if ran[0] < number:
            break
    assert number > 10
    is_right(large, "codes")


def test_ingest_goes_on_between_the_steps(large, acme, monkeypatch):
    done = []
    at = Progress.at

    def at_and_teach(self, status, share):
        at(self, status, share)
        if status not in done:
            done.append(status)
            large.remove(large.add(20))
            large.add(10)

    monkeypatch.setattr(Progress, "at", at_and_teach)
    assert carry_out(corpus.ref(acme))
    assert done == [VectorIndexStatus.COPYING, VectorIndexStatus.INDEXING, VectorIndexStatus.ATTACHING]
    is_right(large, "hnsw")
    assert standing(acme) == {own_partition(TABLE, acme.pk): MANY + 30}


def test_searches_are_right_at_every_moment(large, acme, bolt):
    over, wrong, asked = threading.Event(), [], [0]
    others = Vectors(bolt, seed=3)
    others.add(60)

    def ask(vectors):
        try:
            while not over.is_set():
                recall = vectors.recall(1)
                asked[0] += 1
                if recall < 0.9 and vectors is not others:
                    wrong.append(recall)
        except Exception as error:
            wrong.append(error)
        finally:
            connection.close()

    threads = [threading.Thread(target=ask, args=[vectors]) for vectors in (large, large, others)]
    for thread in threads:
        thread.start()
    try:
        for wanted in ("hnsw", "codes", "hnsw", "codes"):
            with acting_as(acme):
                VectorIndex.objects.update(wanted=wanted, status="pending")
            while not carry_out(corpus.ref(acme), lambda line: None):
                time.sleep(0.05)
            is_right(large, wanted)
    finally:
        over.set()
        for thread in threads:
            thread.join()
    assert wrong == []
    assert asked[0] > 50


def test_a_long_reader_is_not_waited_for_and_nobody_waits_behind_us(large, acme, bolt, monkeypatch):
    monkeypatch.setattr(locking, "TRIES", 3)
    with psycopg.connect(servers.url(env.APP_ROLE, settings.DATABASES["default"]["NAME"])) as reader:
        reader.execute("SELECT count(*) FROM pool.chunk_embeddings")
        began = time.monotonic()
        assert not carry_out(corpus.ref(acme))
        assert time.monotonic() - began < 20
        assert "in use" in index_of(acme).error
        assert index_of(acme).status == "pending"
        is_right(large, None)
        large.add(5)  # nothing was left that would keep the tenant from publishing
    assert carry_out(corpus.ref(acme))
    is_right(large, "hnsw")


def test_a_large_publication_is_not_waited_for_forever(large, acme, monkeypatch):
    monkeypatch.setattr(locking, "INGEST_WAIT_S", 1)
    with psycopg.connect(servers.url(env.SUPERUSER_ROLE, settings.DATABASES["default"]["NAME"])) as publisher:
        publisher.execute("SELECT FROM pool.knowledge_totals FOR UPDATE")
        assert not carry_out(corpus.ref(acme))
        assert "being published" in index_of(acme).error
    assert carry_out(corpus.ref(acme))
    is_right(large, "hnsw")


def test_one_at_a_time(large, acme):
    with superuser() as database:
        database.execute("SELECT pg_advisory_lock(%s)", [locking.RUNNING])
        assert not carry_out(corpus.ref(acme))
        assert standing(acme) == {"chunk_embeddings_default": MANY}
    assert carry_out(corpus.ref(acme))


def test_what_was_ordered_otherwise_meanwhile_is_done_next(large, acme, monkeypatch):
    at = Progress.at

    def at_and_shrink(self, status, share):
        at(self, status, share)
        if status == VectorIndexStatus.INDEXING and share <= changing.COPIED:
            with acting_as(acme):
                VectorIndex.objects.update(wanted="codes", status="pending")

    monkeypatch.setattr(Progress, "at", at_and_shrink)
    carry_out(corpus.ref(acme))
    monkeypatch.undo()
    assert index_of(acme).wanted == "codes"
    assert carry_out(corpus.ref(acme))
    is_right(large, "codes")
    assert standing(acme) == {"chunk_embeddings_default": MANY}


@pytest.mark.parametrize("blow", [signal.SIGKILL, signal.SIGTERM])
def test_maintain_is_stopped_while_it_builds(large, acme, blow):
    large.add(3_000)
    name = settings.DATABASES["default"]["NAME"]
    environment = os.environ | {
        "DATABASE_URL": servers.url(env.APP_ROLE, name),
        "DATABASE_OWNER_URL": servers.url(env.OWNER_ROLE, name),
        "REDIS_URL": servers.redis_url(),
        "FRONTDESK_HOME": str(servers.home()),
    }
    process = subprocess.Popen(
        [sys.executable, "manage.py", "maintain"],
        cwd=env.CHECKOUT,
        env=environment,
        stdout=subprocess.DEVNULL,
    )
    try:
        deadline = time.monotonic() + 60
        while index_of(acme).status != "indexing":
            assert time.monotonic() < deadline
            time.sleep(0.02)
        assert large.recall(3) >= 0.9
    finally:
        process.send_signal(blow)
        status = process.wait(30)
    assert status == (0 if blow == signal.SIGTERM else -blow)
    large.add(5)
    assert carry_out(corpus.ref(acme))
    assert index_of(acme).status == "done"
    assert standing(acme) == {own_partition(TABLE, acme.pk): len(large.by_chunk)}
    assert large.recall() >= 0.8  # vectors without topics: the hardest there are


def test_the_totals_are_what_they_were(large, acme):
    carry_out(corpus.ref(acme))
    with acting_as(acme):
        assert KnowledgeTotals.objects.get().chunks == MANY
