"""Restore a backup into a state directory of its own: keys, files, roles, then the database in one transaction."""

import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Final

from config import embedded, env
from config.backup.archive import DUMP, FILES, KEYS, Progress, unpack
from config.backup.saving import files_directory
from config.bootstrap import bootstrap_embedded, make_roles_and_database
from config.readers import ConfigurationError
from config.state import sole_use

STATE: Final = ("pg", "redis", *KEYS)
ASIDE: Final = "replaced-"


def restore(source: Path, progress: Progress, *, replace: bool = False) -> None:
    """Make FRONTDESK_HOME what `source` holds. The next start migrates it where the program is newer, and fits the
    ledger's watermark, which counts transactions, to the new cluster.

    What is there already is never deleted: with `replace` it is put aside in `replaced-<time>`, without it the restore
    is refused. Raises ConfigurationError for that, for a copy that runs, and for keys given by the environment;
    BadArchive, before anything is touched, for an archive that does not match its manifest.
    """
    home = env.home()
    _refuse_what_cannot_be(home)
    with sole_use(home), tempfile.TemporaryDirectory(dir=home, prefix=".restore-") as directory:
        staging = Path(directory)
        progress("checking the archive")
        manifest = unpack(source, staging)
        progress(f"a backup of {manifest['base_url']}, {manifest['made_at']}")
        _put_aside(home, replace=replace, progress=progress)
        for name in KEYS:
            if (staging / name).exists():
                (staging / name).replace(home / name)
        if (staging / FILES).is_dir():
            shutil.copytree(staging / FILES, files_directory(), dirs_exist_ok=True)
        _restore_database(home, staging / DUMP, progress)


def _refuse_what_cannot_be(home: Path) -> None:
    if not env.embedded_postgres():
        raise ConfigurationError("DATABASE_URL is set: restore that server with its own tools.")
    # Secrets from the environment would shadow those of the archive, and nothing could be decrypted.
    for setting in ("SECRET_KEY", "ENCRYPTION_KEYS"):
        if env.secret(setting):
            raise ConfigurationError(
                f"{setting} is set: a restore brings the installation's own; unset it, or keep it as it was"
                " when the backup was made and put it back afterwards."
            )
    home.mkdir(parents=True, exist_ok=True, mode=0o700)


def _put_aside(home: Path, *, replace: bool, progress: Progress) -> None:
    # The command itself makes keys as it starts; without a database beside them they are worth nothing.
    if not (home / "pg").exists():
        return
    if not replace:
        raise ConfigurationError(
            f"FRONTDESK_HOME is {str(home)!r}, which has a database already: name another directory, or --replace it"
            " (it is put aside, not deleted)."
        )
    embedded.clear_postgres(home)
    embedded.clear_redis(home)
    aside = home / f"{ASIDE}{time.strftime('%Y%m%d-%H%M%S')}"
    aside.mkdir(mode=0o700)
    for name in STATE:
        if (home / name).exists():
            (home / name).rename(aside / name)
    progress(f"what was there is now in {aside.name}")


def _restore_database(home: Path, dump: Path, progress: Progress) -> None:
    superuser = embedded.start_postgres(home)
    try:
        make_roles_and_database(superuser)
        progress("restoring the database")
        done = subprocess.run(
            [
                str(embedded.postgres_binary("pg_restore")), "--single-transaction", "--exit-on-error",
                "--host", str(env.postgres_directory(home)), "--username", env.SUPERUSER_ROLE,
                "--dbname", env.DATABASE, str(dump),
            ],
            capture_output=True, text=True, check=False, env={"LC_ALL": "C", "PATH": "/usr/bin:/bin"},
        )  # fmt: skip
        if done.returncode:
            raise ConfigurationError(f"the database could not be restored: {done.stderr.strip()}")
        bootstrap_embedded(superuser)
    finally:
        embedded.stop_postgres(home)
