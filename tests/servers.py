"""PostgreSQL and Redis for a test run: started once by the run's controller, shared by its workers.

Set FRONTDESK_TEST_HOME to keep PostgreSQL and its migrated template between runs while developing.
"""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config import embedded, env

HOME = "FRONTDESK_TEST_HOME"
REDIS_HOME = "FRONTDESK_TEST_REDIS_HOME"


@contextmanager
def running() -> Iterator[None]:
    """Services for the block; workers find them through the environment."""
    kept = os.environ.get(HOME)
    redis_home = Path(tempfile.mkdtemp(prefix="fdr", dir="/tmp"))
    home = Path(kept) if kept else Path(tempfile.mkdtemp(prefix="fdt", dir="/tmp"))
    home.mkdir(parents=True, exist_ok=True)
    os.environ[HOME], os.environ[REDIS_HOME] = str(home), str(redis_home)
    if not (kept and _answers(home)):
        embedded.start_postgres(home, durable=False)
    embedded.start_redis(redis_home, durable=False)
    try:
        yield
    finally:
        embedded.stop_redis(redis_home)
        shutil.rmtree(redis_home, ignore_errors=True)
        if kept:
            os.environ[HOME] = kept
        else:
            embedded.stop_postgres(home)
            shutil.rmtree(home, ignore_errors=True)
            del os.environ[HOME]


def home() -> Path:
    return Path(os.environ[HOME])


def url(role: str, database: str) -> str:
    return env.embedded_postgres_url(home(), role, database)


def redis_url() -> str:
    """Each worker has a Redis database of its own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    return env.embedded_redis_url(Path(os.environ[REDIS_HOME])).replace("db=0", f"db={int(worker) % 16}")


def _answers(directory: Path) -> bool:
    import psycopg

    try:
        psycopg.connect(
            env.embedded_postgres_url(directory, env.SUPERUSER_ROLE, "postgres"), connect_timeout=2
        ).close()
    except psycopg.OperationalError:
        return False
    return True
