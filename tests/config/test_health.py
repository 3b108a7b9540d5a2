"""/readyz names what is missing, quickly, and gives away nothing."""

import json
import threading
import time

import pytest
import redis
from django.conf import settings
from django.test import RequestFactory

from config import health, heartbeat
from config.health import Readiness, once_well
from kernel.errors import ProviderError
from tests.database import DEDICATED_SCHEMA


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def readiness(clock) -> Readiness:
    return Readiness(clock)


@pytest.fixture
def client():
    with redis.Redis.from_url(settings.REDIS_URL) as client:
        heartbeat.forget_workers(client)
        yield client
        heartbeat.forget_workers(client)


def test_ready_where_every_check_is_well(readiness):
    readiness.register("a", lambda: None)
    readiness.register("b", lambda: None)
    assert readiness.report().ready
    assert readiness.report().checks == {"a": "ok", "b": "ok"}


def test_one_check_that_is_not_well_is_enough(readiness):
    readiness.register("a", lambda: None)
    readiness.register("b", lambda: "start it")
    report = readiness.report()
    assert not report.ready
    assert report.checks == {"a": "ok", "b": "start it"}


def test_a_check_that_raises_gives_away_its_kind_only(readiness, caplog):
    def check() -> None:
        raise ConnectionError("postgresql://app:hunter2@db failed")

    readiness.register("database", check)
    found = readiness.report().checks["database"]
    assert found == "the check failed with ConnectionError; the log says more"
    assert "hunter2" in caplog.text


def test_a_report_serves_everybody_for_a_while(readiness, clock):
    asked: list[float] = []
    readiness.register("a", lambda: asked.append(clock.now))
    readiness.report()
    clock.now += health.KEPT_S - 0.01
    readiness.report()
    assert len(asked) == 1
    clock.now += 0.02
    readiness.report()
    assert len(asked) == 2


def test_nobody_waits_behind_a_slow_check(readiness, clock):
    entered, leave = threading.Event(), threading.Event()

    def slow() -> None:
        entered.set()
        assert leave.wait(10)

    readiness.register("slow", slow)
    thread = threading.Thread(target=readiness.report)
    thread.start()
    assert entered.wait(10)
    began = time.monotonic()
    assert not readiness.report().ready
    assert time.monotonic() - began < 1
    leave.set()
    thread.join()
    assert readiness.report().ready


def test_what_was_well_once_is_not_asked_again():
    answers = iter(["not yet", None])
    check = once_well(lambda: next(answers))
    assert [check(), check(), check()] == ["not yet", None, None]


def test_a_worker_is_seen_for_a_minute_after_its_last_beat(client, monkeypatch):
    assert health.worker_missing() == "no worker was seen in the last minute: start one"
    heartbeat.beat(client, "host:1")
    heartbeat.beat(client, "host:2")
    assert heartbeat.workers_seen(client) == 2
    assert health.worker_missing() is None
    later = time.time() + heartbeat.SEEN_WITHIN_S + 1
    monkeypatch.setattr(heartbeat.time, "time", lambda: later)
    assert heartbeat.workers_seen(client) == 0
    heartbeat.beat(client, "host:3")
    assert client.zcard("frontdesk:workers") == 1


def test_a_worker_beats_from_its_start_to_its_end(client):
    heartbeat._begin()
    deadline = time.monotonic() + 5
    while not heartbeat.workers_seen(client):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    heartbeat._end()
    assert heartbeat.workers_seen(client) == 0


def test_redis_that_does_not_answer_is_named(settings):
    settings.REDIS_URL = "unix:///tmp/no-such-frontdesk.sock"
    assert health.redis_missing() == "Redis does not answer: check REDIS_URL"
    assert health.worker_missing() == "unknown, because Redis does not answer"


@pytest.mark.django_db
def test_the_migrated_database_and_its_role_are_well():
    assert health.database_missing() is None
    assert health.unapplied_migrations() is None
    assert health.unsafe_role() is None


@pytest.mark.django_db
def test_a_migration_that_was_not_applied_is_named(monkeypatch):
    class Loader(health.MigrationLoader):
        def __init__(self, *args, **options) -> None:
            super().__init__(*args, **options)
            self.graph.add_node(("knowledge", "9999_not_applied"), None)

    monkeypatch.setattr(health, "MigrationLoader", Loader)
    found = health.unapplied_migrations()
    assert found is not None
    assert "lacks knowledge.9999_not_applied: run manage.py migrate_schemas" in found


@pytest.mark.django_db
def test_no_row_of_any_tenant_is_visible_without_a_tenant(acme, bolt):
    assert health.visible_without_tenant() is None


@pytest.mark.django_db
def test_a_table_that_shows_rows_without_a_tenant_is_reported(monkeypatch):
    # A table without row-level security stands in for one that lost it.
    assert health.visible_tables([("public", "django_migrations")]) == ["public.django_migrations"]
    asked: list[tuple[str, str]] = []

    def visible(tables: list[tuple[str, str]]) -> list[str]:
        asked.extend(tables)
        return ["pool.widgets_message"]

    monkeypatch.setattr(health, "visible_tables", visible)
    assert health.visible_without_tenant() == "rows are visible without a tenant: pool.widgets_message"
    # The pool's tables and those of the tenant with a schema of its own.
    assert {schema for schema, _ in asked} == {"pool", DEDICATED_SCHEMA}


def test_the_embedder_is_loaded_in_the_background_and_its_failure_told(monkeypatch):
    go_on, weights_found = threading.Event(), threading.Event()

    class Embedder:
        provider = "elsewhere"

        def prepare(self) -> None:
            assert go_on.wait(10)
            if not weights_found.is_set():
                raise ProviderError("the weights are missing", provider="local", retryable=False)

    def wait_for(answer: str | None) -> None:
        deadline = time.monotonic() + 5
        while health.embedder_missing() != answer:
            assert time.monotonic() < deadline
            time.sleep(0.001)

    monkeypatch.setattr(health, "embedder", Embedder)
    monkeypatch.setattr(health, "_embedder_failure", "it is being loaded")
    assert health.embedder_missing() == "it is being loaded"
    go_on.set()
    wait_for("it cannot be loaded: the weights are missing")
    weights_found.set()
    wait_for(None)


def test_the_views(monkeypatch, readiness, clock):
    request = RequestFactory().get("/readyz")
    monkeypatch.setattr(health, "readiness", readiness)
    state = {"redis": "Redis does not answer"}
    readiness.register("redis", lambda: state.get("redis"))
    response = health.readyz(request)
    assert response.status_code == 503
    assert response["Cache-Control"] == "no-store"
    assert json.loads(response.content) == {
        "status": "unavailable",
        "checks": {"redis": "Redis does not answer"},
    }
    state.clear()
    clock.now += 10
    response = health.readyz(request)
    assert response.status_code == 200
    assert json.loads(response.content) == {"status": "ok", "checks": {"redis": "ok"}}
    assert health.healthz(request).content == b"ok"
