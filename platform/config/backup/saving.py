"""Save a one-machine install while it runs: the database as of one moment, then the files, then the keys."""

import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import unquote, urlsplit

import psycopg
from django.conf import settings

from config import embedded, env
from config.backup.archive import DUMP, FILES, KEYS, Progress, write
from config.readers import ConfigurationError
from config.state import sole_use
from kernel.clock import now


def save(target: Path, progress: Progress) -> int:
    """Write a backup of this installation to `target`; its size in bytes.

    Works beside a running copy, and starts PostgreSQL for the time where none runs. The dump is a snapshot; files are
    taken after it, and a file outlives its document by days, so that the dump never names one that is missing. Redis is
    left out: every job in it can be found again from a row. Raises ConfigurationError where PostgreSQL is not ours.
    """
    home = env.home()
    if not env.embedded_postgres():
        raise ConfigurationError(
            "DATABASE_URL is set: back up that server with its own tools, and SECRET_KEY, ENCRYPTION_KEYS and"
            " STORAGE_URL with it. manage.py backup is for the embedded PostgreSQL."
        )
    with ExitStack() as stack:
        stack.enter_context(_postgres(home))
        staging = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=target.parent, prefix=".backup-")))
        dump = staging / DUMP
        progress("dumping the database")
        _dump(home, dump)
        progress(f"database: {dump.stat().st_size:,} bytes")
        members = [(DUMP, dump), *((name, home / name) for name in KEYS if (home / name).exists())]
        stored = files_directory()
        members += [
            (f"{FILES}/{path.relative_to(stored).as_posix()}", path)
            for path in sorted(stored.rglob("*"))
            if path.is_file() and not path.name.startswith(".")
        ]
        progress(f"packing {len(members)} files")
        write(target, members, _facts(home), progress)
    return target.stat().st_size


def files_directory() -> Path:
    """Where uploaded files are."""
    return Path(unquote(urlsplit(settings.STORAGE_URL).path))


def _dump(home: Path, target: Path) -> None:
    done = subprocess.run(
        [
            str(embedded.postgres_binary("pg_dump")), "--format=custom", "--compress=gzip:1",
            "--host", str(env.postgres_directory(home)), "--username", env.SUPERUSER_ROLE,
            "--file", str(target), env.DATABASE,
        ],
        capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    )  # fmt: skip
    if done.returncode:
        raise ConfigurationError(f"the database could not be dumped: {done.stderr.strip()}")


def _facts(home: Path) -> dict[str, object]:
    url = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, env.DATABASE)
    with psycopg.connect(url) as connection:
        migrations = connection.execute(
            "SELECT app || '.' || name FROM pool.django_migrations ORDER BY id"
        ).fetchall()
        rows = connection.execute("SELECT current_setting('server_version')").fetchone()
    return {
        "made_at": now().isoformat(),
        "base_url": settings.BASE_URL,
        "postgres": rows[0] if rows else None,
        "migrations": [name for (name,) in migrations],
    }


@contextmanager
def _postgres(home: Path) -> Iterator[None]:
    """The installation's PostgreSQL, started for the block where nobody runs it."""
    url = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres")
    try:
        psycopg.connect(url, connect_timeout=5).close()
    except psycopg.OperationalError:
        # The lock keeps a start of the product from meeting ours on one data directory.
        with sole_use(home):
            embedded.start_postgres(home)
            try:
                yield
            finally:
                embedded.stop_postgres(home)
    else:
        yield
