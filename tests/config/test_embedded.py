"""PostgreSQL and Redis of our own: they listen on no port, keep what was written, and come back after any death."""

import os
import signal
import stat
import time

import psycopg
import pytest
import redis

from config import embedded, env
from config.program import process_started
from tests.config.places import short_directory


@pytest.fixture(scope="module")
def home():
    with short_directory() as directory:
        yield directory
        embedded.stop_postgres(directory)
        embedded.stop_redis(directory)


def superuser(home) -> psycopg.Connection:
    return psycopg.connect(env.embedded_postgres_url(home, "postgres", "postgres"), autocommit=True)


def postmaster(home) -> int:
    return int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])


def gone(process_id: int) -> bool:
    deadline = time.monotonic() + 5
    while process_started(process_id) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process_started(process_id) is None


def test_postgres_listens_on_its_socket_only_and_only_its_owner_gets_there(home):
    url = embedded.start_postgres(home)
    with psycopg.connect(url, autocommit=True) as connection:
        settings = dict(
            connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN "
                "('listen_addresses', 'fsync', 'unix_socket_directories', 'TimeZone', 'lc_ctype', 'data_checksums')"
            ).fetchall()
        )
        connection.execute("CREATE TABLE kept AS SELECT 42 AS value")
    assert settings["listen_addresses"] == ""
    assert settings["fsync"] == "on"
    assert settings["unix_socket_directories"] == str(home / "pg")
    assert settings["TimeZone"] == "UTC"
    assert settings["data_checksums"] == "on"
    assert stat.S_IMODE((home / "pg").stat().st_mode) == 0o700


def test_text_search_takes_no_punctuation_for_letters(home):
    with superuser(home) as connection:
        row = connection.execute("SELECT to_tsvector('simple', '“Refunds”—ÉCOLE')::text").fetchone()
    assert row == ("'refunds':1 'école':2",)


def test_postgres_comes_back_after_kill_9_with_what_was_committed(home):
    victim = postmaster(home)
    os.kill(victim, signal.SIGKILL)
    assert gone(victim)
    embedded.start_postgres(home)
    with superuser(home) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)


def test_a_postgres_left_over_is_replaced(home):
    before = postmaster(home)
    embedded.start_postgres(home)
    assert gone(before)
    assert postmaster(home) != before


def test_a_lock_file_whose_pid_another_program_got_does_not_stop_postgres(home):
    embedded.stop_postgres(home)
    lock = home / "pg" / "postmaster.pid"
    # The parent of this process runs and belongs to somebody else than PostgreSQL.
    lock.write_text(f"{os.getpid()}\n{home}/pg\n1\n5432\n{home}/pg\n\n  1  1\nready\n")
    embedded.start_postgres(home)
    with superuser(home) as connection:
        assert connection.execute("SELECT value FROM kept").fetchone() == (42,)
    embedded.stop_postgres(home)
    assert not lock.exists()


def test_a_postgres_that_cannot_start_says_why(home):
    embedded.stop_postgres(home)
    configuration = home / "pg" / "postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(sound + "\nno_such_setting = 1\n")
    try:
        with pytest.raises(embedded.ServiceFailed, match="no_such_setting"):
            embedded.start_postgres(home)
    finally:
        configuration.write_text(sound)


def test_redis_keeps_its_jobs_through_kill_9_and_evicts_nothing(home):
    url = embedded.start_redis(home)
    with redis.Redis.from_url(url) as client:
        client.rpush("celery", "job")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
        assert client.config_get("port")["port"] == "0"
        victim = client.info("server")["process_id"]
    assert stat.S_IMODE((home / "redis.sock").stat().st_mode) == 0o700
    # The append-only file is written with every command and synced every second; a kill loses no write.
    os.kill(victim, signal.SIGKILL)
    assert gone(victim)
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        assert client.lrange("celery", 0, -1) == [b"job"]


def test_a_redis_left_over_is_replaced_before_it_could_spoil_the_file(home):
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        before = client.info("server")["process_id"]
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        assert client.info("server")["process_id"] != before
        assert client.lrange("celery", 0, -1) == [b"job"]
    assert gone(before)


def test_stopping_what_does_not_run_is_fine():
    with short_directory() as empty:
        embedded.stop_postgres(empty)
        embedded.stop_redis(empty)
        assert list(empty.iterdir()) == []
