"""Where a word still stands: in the whole database as pg_dump writes it, in Redis, in the files."""

import subprocess
from pathlib import Path
from typing import Any

from django.db import connection

from config import embedded, env
from knowledge.files.storing import file_store
from tests import servers


def places_with(word: str, redis: Any) -> list[str]:
    """Every table, key of Redis and file that holds `word`."""
    return [*_tables(word), *_keys(word.encode(), redis), *_files(word.encode())]


def dump() -> str:
    """Every row of the test's database, a line each."""
    done = subprocess.run(
        [
            str(embedded.postgres_binary("pg_dump")), "--data-only", "--inserts",
            "--host", str(env.postgres_directory(servers.home())), "--username", env.SUPERUSER_ROLE,
            connection.settings_dict["NAME"],
        ],
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return done.stdout


def _tables(word: str) -> list[str]:
    # bytea is written in hexadecimal.
    written = {word, word.encode().hex()}
    lines = [line for line in dump().splitlines() if any(one in line for one in written)]
    return sorted({line.split(" ")[2] if line.startswith("INSERT INTO") else line[:80] for line in lines})


def _keys(word: bytes, redis: Any) -> list[str]:
    found = []
    for name in redis.scan_iter("*"):
        kind = redis.type(name)
        if kind == b"string":
            content = redis.get(name) or b""
        elif kind == b"stream":
            content = repr(redis.xrange(name)).encode()
        else:
            content = repr(redis.dump(name)).encode()
        if word in name or word in content:
            found.append(f"redis {name.decode()}")
    return found


def _files(word: bytes) -> list[str]:
    root = Path(file_store().root)  # type: ignore[attr-defined]  # LocalFiles, as the tests' STORAGE_URL says
    if not root.is_dir():
        return []
    files = [path for path in root.rglob("*") if path.is_file()]
    return [
        f"file {path.relative_to(root)}"
        for path in files
        if word in path.read_bytes() or word.decode() in path.name
    ]
