"""PostgreSQL and Redis of our own: they listen on no port, keep what was written, and come back after any death."""

import os
import signal
import stat
import subprocess
import sys
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


@pytest.fixture
def postgres(home):
    """A running PostgreSQL with something committed in it."""
    with psycopg.connect(embedded.start_postgres(home), autocommit=True) as connection:
        connection.execute("CREATE TABLE IF NOT EXISTS kept AS SELECT 42 AS value")


@pytest.fixture
def queue(home):
    """A running Redis with one job in it."""
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        client.delete("celery")
        client.rpush("celery", "job")
        yield client


def kept(home) -> int:
    with superuser(home) as connection:
        row = connection.execute("SELECT value FROM kept").fetchone()
    assert row is not None
    value: int = row[0]
    return value


def leave_lock(home, process_id: int) -> None:
    """The lock files of a PostgreSQL that was killed, naming a process that is not one."""
    content = f"{process_id}\n{home}/pg\n1\n5432\n{home}/pg\n\n  1  1\nready\n"
    for name in ("postmaster.pid", ".s.PGSQL.5432.lock"):
        (home / "pg" / name).write_text(content)


def superuser(home) -> psycopg.Connection:
    return psycopg.connect(env.embedded_postgres_url(home, "postgres", "postgres"), autocommit=True)


def postmaster(home) -> int:
    return int((home / "pg" / "postmaster.pid").read_text().splitlines()[0])


def gone(process_id: int) -> bool:
    deadline = time.monotonic() + 5
    while process_started(process_id) is not None and time.monotonic() < deadline:
        time.sleep(0.01)
    return process_started(process_id) is None


def test_postgres_listens_on_its_socket_only_and_only_its_owner_gets_there(home, postgres):
    with superuser(home) as connection:
        settings = dict(
            connection.execute(
                "SELECT name, setting FROM pg_settings WHERE name IN "
                "('listen_addresses', 'fsync', 'unix_socket_directories', 'TimeZone', 'data_checksums')"
            ).fetchall()
        )
    assert settings == {
        "listen_addresses": "",
        "fsync": "on",
        "unix_socket_directories": str(home / "pg"),
        "TimeZone": "UTC",
        "data_checksums": "on",
    }
    assert stat.S_IMODE((home / "pg").stat().st_mode) == 0o700


def test_text_search_takes_no_punctuation_for_letters(home, postgres):
    with superuser(home) as connection:
        row = connection.execute("SELECT to_tsvector('simple', '“Refunds”—ÉCOLE')::text").fetchone()
    assert row == ("'refunds':1 'école':2",)


def test_postgres_comes_back_after_kill_9_with_what_was_committed(home, postgres):
    victim = postmaster(home)
    os.kill(victim, signal.SIGKILL)
    assert gone(victim)
    embedded.start_postgres(home)
    assert kept(home) == 42


def test_a_postgres_left_over_is_replaced(home, postgres):
    before = postmaster(home)
    embedded.start_postgres(home)
    assert gone(before)
    assert postmaster(home) != before


def test_lock_files_whose_pid_another_program_got_do_not_stop_postgres(home, postgres):
    embedded.stop_postgres(home)
    leave_lock(home, os.getppid())
    embedded.start_postgres(home)
    assert kept(home) == 42
    embedded.stop_postgres(home)
    assert not (home / "pg" / "postmaster.pid").exists()


def test_a_dead_postmaster_that_nobody_reaped_does_not_stop_postgres(home, postgres):
    embedded.stop_postgres(home)
    # A parent that never waits: its child stays a zombie, whose pid counts as running.
    script = "import subprocess, time; p = subprocess.Popen(['/bin/true']); print(p.pid, flush=True); time.sleep(60)"
    negligent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    try:
        assert negligent.stdout is not None
        zombie = int(negligent.stdout.readline())
        assert gone(zombie)
        os.kill(zombie, 0)  # exists all the same
        leave_lock(home, zombie)
        embedded.start_postgres(home)
        assert kept(home) == 42
    finally:
        negligent.kill()
        negligent.wait()


def test_a_postgres_that_cannot_start_says_why(home, postgres):
    embedded.stop_postgres(home)
    configuration = home / "pg" / "postgresql.conf"
    sound = configuration.read_text()
    configuration.write_text(sound + "\nno_such_setting = 1\n")
    try:
        with pytest.raises(embedded.ServiceFailed, match="no_such_setting"):
            embedded.start_postgres(home)
    finally:
        configuration.write_text(sound)


def test_redis_keeps_its_jobs_through_kill_9_and_evicts_nothing(home, queue):
    assert queue.config_get("maxmemory-policy")["maxmemory-policy"] == "noeviction"
    assert queue.config_get("port")["port"] == "0"
    assert stat.S_IMODE((home / "redis.sock").stat().st_mode) == 0o700
    # The append-only file is written with every command and synced every second: a kill loses no write.
    victim = queue.info("server")["process_id"]
    os.kill(victim, signal.SIGKILL)
    assert gone(victim)
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        assert client.lrange("celery", 0, -1) == [b"job"]


def test_a_redis_left_over_is_replaced_before_it_could_spoil_the_file(home, queue):
    before = queue.info("server")["process_id"]
    with redis.Redis.from_url(embedded.start_redis(home)) as client:
        assert client.info("server")["process_id"] != before
        assert client.lrange("celery", 0, -1) == [b"job"]
    assert gone(before)


def test_stopping_what_does_not_run_is_fine():
    with short_directory() as empty:
        embedded.stop_postgres(empty)
        embedded.stop_redis(empty)
        assert list(empty.iterdir()) == []
