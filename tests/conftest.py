"""The cast and the stage of every test: real PostgreSQL and Redis, the application's role, two tenants."""

from contextlib import ExitStack

import pytest
from django.conf import settings
from django.test import TransactionTestCase

import ai.http
from tests import cast, database, servers

_services = ExitStack()


def pytest_configure(config):
    if not hasattr(config, "workerinput"):
        _services.enter_context(servers.running())
    settings.REDIS_URL = servers.redis_url()
    settings.CELERY_BROKER_URL = "memory://"
    settings.PASSWORD_HASHERS = ["django.contrib.auth.hashers.MD5PasswordHasher"]
    settings.EMBEDDING_MODEL = "hashing"
    ai.http.loopback_only()


def pytest_unconfigure(config):
    _services.close()


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    name = database.clone(django_db_blocker)
    wipe = database.wiper(name)
    TransactionTestCase._fixture_teardown = lambda self: wipe()
    yield
    with django_db_blocker.unblock():
        from django.db import connections

        connections.close_all()
    database.drop(name)


@pytest.fixture
def acme(request):
    """The tenant most tests act for."""
    _need_database(request)
    return cast.tenant("acme")


@pytest.fixture
def bolt(request):
    """The tenant that must see nothing of acme's, with rows that could leak."""
    _need_database(request)
    return cast.tenant("bolt")


@pytest.fixture
def cargo(request):
    """A tenant in a schema of its own."""
    _need_database(request)
    return cast.tenant("cargo", schema_name=database.DEDICATED_SCHEMA)


def _need_database(request):
    if "transactional_db" not in request.fixturenames and not _is_transactional(request):
        request.getfixturevalue("db")
    else:
        request.getfixturevalue("transactional_db")


def _is_transactional(request):
    marker = request.node.get_closest_marker("django_db")
    return bool(marker and marker.kwargs.get("transaction"))


@pytest.fixture(autouse=True)
def _one_thread_where_one_transaction(request, settings):
    """A test inside one transaction shares its connection, so database threads are for transactional tests only."""
    if "transactional_db" not in request.fixturenames and not _is_transactional(request):
        settings.DATABASE_THREADS = 0


@pytest.fixture
def redis():
    """An empty Redis of this worker's own."""
    import redis as library

    client = library.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    yield client
    client.close()
