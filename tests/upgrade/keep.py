"""Keep a dump of today's schema with a row in every table, for the upgrade test of later versions.

Run once per release, before its first new migration: `python -m tests.upgrade.keep 0.2.0`. The rows are the twins of
tests/isolation, in the pool and in a dedicated schema.
"""

import os
import subprocess
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import django

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "platform"))


def main(version: str) -> None:
    """Write `tests/upgrade/<version>.dump`."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    django.setup()
    from config import embedded, env
    from tests import database, servers
    from tests.isolation import stage

    with servers.running():
        name = database.clone(SimpleNamespace(unblock=nullcontext))
        with database.superuser(name) as superuser:
            grants = superuser.execute(stage.GRANTS).fetchall()
            stage.furnish(superuser)
            stage.give_back(superuser, grants)
        target = Path(__file__).parent / f"{version}.dump"
        subprocess.run(
            [
                embedded.postgres_binary("pg_dump"), "--format=custom", "--compress=gzip:9",
                "--host", env.postgres_directory(servers.home()), "--username", env.SUPERUSER_ROLE,
                "--file", target, name,
            ],
            check=True,
        )  # fmt: skip
        from django.db import connections

        connections.close_all()
        database.drop(name)
        print(f"{target.name}: {target.stat().st_size:,} bytes")


if __name__ == "__main__":
    main(sys.argv[1])
