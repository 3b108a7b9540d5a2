"""A backup of a running copy comes back whole in another directory: rows, files, keys, a ledger that adds up."""

import io
import json
import os
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.request
from pathlib import Path

import psycopg
import pytest

from benchmarks.installation import ROOT, installed
from config import env
from config.backup import archive
from config.backup.archive import BadArchive, unpack, write

pytestmark = pytest.mark.live

TABLES = (
    "SELECT format('%I.%I', schemaname, tablename) FROM pg_tables "
    "WHERE schemaname IN ('public', 'pool') AND tablename NOT IN ('due_work', 'canaries', 'auth_sessions') "
    # maintain may give Acme its partition between the two looks; the parent has the rows of all of them.
    "AND tablename NOT LIKE 'chunk_embeddings\\_%'"
)


@pytest.fixture
def short():
    """A short path: a unix socket's is limited."""
    with tempfile.TemporaryDirectory(prefix="fdt-", dir="/tmp") as directory:
        yield Path(directory)


def manage(home, *arguments, **settings):
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "FRONTDESK_HOME": str(home),
    }
    return subprocess.run(
        [sys.executable, "manage.py", *map(str, arguments)],
        cwd=ROOT,
        env=environment | settings,
        capture_output=True,
        text=True,
        timeout=300,
    )


def counts(home):
    url = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, env.DATABASE)
    with psycopg.connect(url) as connection:
        tables = sorted(name for (name,) in connection.execute(TABLES).fetchall())
        return {name: connection.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in tables}


def call(url, key, body=None):
    request = urllib.request.Request(
        url,
        data=None if body is None else json.dumps(body).encode(),
        headers={"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=30) as response:
        return json.load(response)


def test_a_running_copy_is_saved_and_comes_back_elsewhere(short):
    first, second, saved = short / "a", short / "b", short / "backup.tar.gz"
    with installed(first, FRONTDESK_DEMO="1") as copy:
        logins = json.loads((first / "demo.json").read_text())
        key = logins[0]["api_key"]
        before = counts(first)
        done = manage(first, "backup", saved, PORT=copy.url.rpartition(":")[2])
        assert done.returncode == 0, done.stderr
        assert saved.stat().st_mode & 0o777 == 0o600
        sessions = call(f"{copy.url}/api/v1/sessions/?limit=3", key)
        totals = call(f"{copy.url}/api/v1/cost-summaries/?group_by=month", key)["totals"]
    refused = manage(first, "restore", saved)
    assert refused.returncode != 0
    assert "has a database already" in refused.stderr
    done = manage(second, "restore", saved)
    assert done.returncode == 0, done.stderr
    with installed(second, FRONTDESK_DEMO="1") as copy:
        after = counts(second)
        assert {name: number for name, number in after.items() if number != before.get(name)} == {}
        assert call(f"{copy.url}/api/v1/sessions/?limit=3", key) == sessions
        url = f"{copy.url}/api/v1/cost-summaries/?group_by=month"
        assert call(url, key)["totals"] == totals
        event = {"service": "vision", "provider": "own", "model": "own", "feature": "f", "cost_usd": "1.5"}
        call(f"{copy.url}/api/v1/cost-events/", key, event)
        deadline = time.monotonic() + 60
        while call(url, key)["totals"]["event_count"] != totals["event_count"] + 1:
            assert time.monotonic() < deadline, "the restored ledger does not fold new events"
            time.sleep(0.5)
        reconciled = manage(second, "reconcile", PORT=copy.url.rpartition(":")[2])
        assert reconciled.returncode == 0, reconciled.stdout + reconciled.stderr
        answer = call(f"{copy.url}/api/v1/answers/", key, {"question": "How do I set up my hub?"})
        assert answer["citations"]


def test_a_restore_over_something_puts_it_aside(short):
    home = short / "a"
    home.mkdir()
    with installed(home):
        pass
    saved = short / "backup.tar.gz"
    assert manage(home, "backup", saved).returncode == 0
    (home / "pg" / "marker").write_text("the old one")
    done = manage(home, "restore", saved, "--replace")
    assert done.returncode == 0, done.stderr
    (aside,) = home.glob("replaced-*")
    assert (aside / "pg" / "marker").read_text() == "the old one"
    assert not (home / "pg" / "marker").exists()


@pytest.mark.parametrize("harm", ["cut", "changed", "foreign", "outside"])
def test_an_archive_that_is_not_as_it_was_is_refused(tmp_path, harm):
    dump, saved = tmp_path / "dump", tmp_path / "backup.tar.gz"
    dump.write_bytes(os.urandom(200_000))
    write(saved, [(archive.DUMP, dump)], {"made_at": "now"}, lambda line: None)
    assert unpack(saved, tmp_path / "whole")["made_at"] == "now"
    if harm == "cut":
        saved.write_bytes(saved.read_bytes()[:150_000])
    elif harm == "foreign":
        saved.write_bytes(b"not a backup")
    else:
        with tarfile.open(saved, "w:gz") as changed:
            for name in (archive.DUMP, archive.MANIFEST) if harm == "changed" else ("../outside",):
                content = (tmp_path / "whole" / name).read_bytes() if harm == "changed" else b"x"
                content = b"other" + content if name == archive.DUMP else content
                entry = tarfile.TarInfo(name)
                entry.size = len(content)
                changed.addfile(entry, io.BytesIO(content))
    with pytest.raises(BadArchive):
        unpack(saved, tmp_path / "unpacked")
    assert not (tmp_path / "outside").exists()


def test_a_database_of_ones_own_is_not_ours_to_save(tmp_path):
    done = manage(
        tmp_path, "backup", DATABASE_URL="postgresql://app@db/x", DATABASE_OWNER_URL="postgresql://own@db/x"
    )
    assert done.returncode != 0
    assert "back up that server with its own tools" in done.stderr
