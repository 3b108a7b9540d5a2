"""Where the state and the services are, from FRONTDESK_HOME alone or from URLs."""

import stat
import threading
from pathlib import Path

import psycopg
import pytest
import redis

from config import env
from config.readers import ConfigurationError

LOCATIONS = (
    "DATABASE_URL",
    "DATABASE_OWNER_URL",
    "REDIS_URL",
    "SECRET_KEY",
    "SECRET_KEY_FALLBACKS",
    "ENCRYPTION_KEYS",
    "DB_POOL_MAX",
)


@pytest.fixture(autouse=True)
def home(monkeypatch, tmp_path) -> Path:
    for name in LOCATIONS:
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(f"{name}_FILE", raising=False)
    directory = Path("/tmp/fd state")
    monkeypatch.setenv("FRONTDESK_HOME", str(directory))
    return directory


def test_embedded_urls_follow_from_the_home_alone(home):
    for url, role in ((env.database_url(), "frontdesk_app"), (env.database_owner_url(), "frontdesk_owner")):
        parsed = psycopg.conninfo.conninfo_to_dict(url)
        assert parsed["user"] == role
        assert parsed["host"] == str(home / "pg")
        assert parsed["dbname"] == "frontdesk"
    assert redis.connection.parse_url(env.redis_url())["path"] == str(home / "redis.sock")


def test_with_a_database_url_the_owner_is_known_only_where_it_was_given(monkeypatch):
    monkeypatch.setenv("DATABASE_URL", "postgresql://app:pw@db.example/frontdesk")
    assert env.database_owner_url() == ""
    monkeypatch.setenv("DATABASE_OWNER_URL", "postgresql://owner:pw@db.example/frontdesk")
    assert env.database_owner_url() == "postgresql://owner:pw@db.example/frontdesk"


def test_djangos_entry_says_what_libpq_would_read(monkeypatch):
    monkeypatch.setenv("DB_POOL_MAX", "3")
    entry = env.database(
        "postgresql://us%40er:p%2Fw@db.example:6432/na%20me?sslmode=require&application_name=x"
    )
    assert {key: entry[key] for key in ("NAME", "USER", "PASSWORD", "HOST", "PORT")} == {
        "NAME": "na me",
        "USER": "us@er",
        "PASSWORD": "p/w",
        "HOST": "db.example",
        "PORT": "6432",
    }
    options = entry["OPTIONS"]
    assert options["sslmode"] == "require"
    assert options["connect_timeout"] == 10
    assert options["pool"] == {"min_size": 0, "max_size": 3, "max_idle": 20, "timeout": 10}
    assert entry["CONN_MAX_AGE"] == 0
    assert "pool" not in env.database(env.database_owner_url(), pooled=False)["OPTIONS"]
    assert env.database(env.database_url())["HOST"] == "/tmp/fd state/pg"


@pytest.mark.parametrize(
    ("url", "reason"),
    [
        ("mysql://u@h/d", "must begin with postgresql://"),
        ("postgresql://u@h/", "names no database"),
        ("postgresql://h/d", "names no user"),
        ("postgresql://u:hunter2@h:none/d", "port must be a number"),
    ],
)
def test_a_wrong_database_url_is_refused_by_name(url, reason):
    with pytest.raises(ConfigurationError) as caught:
        env.database(url)
    assert str(caught.value).startswith("DATABASE_URL ")
    assert reason in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_home_whose_sockets_would_not_fit_is_refused_with_the_reason(monkeypatch):
    fits = "/tmp/" + "x" * (107 - len("/tmp/") - len("/pg/.s.PGSQL.5432"))
    monkeypatch.setenv("FRONTDESK_HOME", fits)
    assert env.home() == Path(fits)
    monkeypatch.setenv("FRONTDESK_HOME", fits + "x")
    with pytest.raises(
        ConfigurationError, match=r"FRONTDESK_HOME is .* 108 bytes, and the system allows 107"
    ):
        env.home()
    monkeypatch.setenv("DATABASE_URL", "postgresql://u@h/d")
    monkeypatch.setenv("REDIS_URL", "redis://h")
    assert env.home() == Path(fits + "x")


def test_a_home_that_is_a_file_is_refused(monkeypatch, tmp_path):
    file = tmp_path / "file"
    file.touch()
    monkeypatch.setenv("FRONTDESK_HOME", str(file))
    with pytest.raises(ConfigurationError, match="not a directory"):
        env.home()


@pytest.mark.parametrize(
    ("redis_url", "celery"),
    [
        ("unix:///tmp/fd%20x/redis.sock?db=3", "redis+socket:///tmp/fd%20x/redis.sock?virtual_host=3"),
        ("redis://:pw@h:6379/1", "redis://:pw@h:6379/1"),
    ],
)
def test_celery_reads_a_socket_under_another_scheme(redis_url, celery):
    assert env.celery_url(redis_url) == celery


def test_keys_are_made_once_and_are_for_their_owner_only(monkeypatch, tmp_path):
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "h"))
    key = env.secret_key()
    assert len(key) >= 50
    assert env.secret_key() == key
    assert env.encryption_keys() != (key,)
    for name in ("secret_key", "encryption_key"):
        assert stat.S_IMODE((tmp_path / "h" / name).stat().st_mode) == 0o600
    assert sorted(file.name for file in (tmp_path / "h").iterdir()) == ["encryption_key", "secret_key"]


def test_two_processes_that_start_at_once_agree_on_the_key(monkeypatch, tmp_path):
    monkeypatch.setenv("FRONTDESK_HOME", str(tmp_path / "h"))
    keys: list[str] = []
    start = threading.Barrier(8)

    def read() -> None:
        start.wait()
        keys.append(env.secret_key())

    threads = [threading.Thread(target=read) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(keys) == 8
    assert len(set(keys)) == 1


def test_given_keys_are_used_and_short_ones_refused(monkeypatch):
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{'n' * 32}, {'o' * 40}")
    assert env.encryption_keys() == ("n" * 32, "o" * 40)
    monkeypatch.setenv("ENCRYPTION_KEYS", f"{'n' * 32},short")
    with pytest.raises(ConfigurationError, match="ENCRYPTION_KEYS") as caught:
        env.encryption_keys()
    assert "short," not in str(caught.value)
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", f"{'o' * 32}, {'p' * 32}")
    assert env.secret_key_fallbacks() == ("o" * 32, "p" * 32)
    monkeypatch.setenv("SECRET_KEY_FALLBACKS", "short")
    with pytest.raises(ConfigurationError, match="SECRET_KEY_FALLBACKS") as caught:
        env.secret_key_fallbacks()
    assert "short" not in str(caught.value).replace("too short", "")
    monkeypatch.setenv("SECRET_KEY", "short")
    with pytest.raises(ConfigurationError, match="SECRET_KEY is too short"):
        env.secret_key()


def test_files_are_kept_in_the_state_unless_a_folder_is_named(monkeypatch, tmp_path):
    monkeypatch.delenv("STORAGE_URL", raising=False)
    assert env.storage_url(Path("/tmp/fd state")) == "file:///tmp/fd%20state/files"
    monkeypatch.setenv("STORAGE_URL", f"file://{tmp_path}")
    assert env.storage_url(Path("/x")) == f"file://{tmp_path}"


@pytest.mark.parametrize(
    "wrong", ["s3://bucket", "file://host/share", "file://", "files", "http://example.com/"]
)
def test_another_storage_is_refused_by_name(monkeypatch, wrong):
    monkeypatch.setenv("STORAGE_URL", wrong)
    with pytest.raises(ConfigurationError, match="STORAGE_URL"):
        env.storage_url(Path("/x"))
