"""The operating-system account that PostgreSQL runs under when Frontdesk is started by root.

PostgreSQL refuses to run as root. An ordinary user runs it under their own account and needs nothing of this.
"""

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path

from config.readers import ConfigurationError

ACCOUNT = "frontdesk"


def postgres_account() -> pwd.struct_passwd | None:
    """The account to run PostgreSQL under: None for an ordinary user (their own), else one made on first need."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        pass
    useradd = shutil.which("useradd", path="/usr/sbin:/sbin:/usr/bin:/bin")
    if useradd is None:
        raise ConfigurationError(
            "PostgreSQL refuses to run as root and there is no useradd to make it an account: start Frontdesk as an"
            f" ordinary user, add an account named {ACCOUNT}, or set DATABASE_URL."
        )
    made = subprocess.run(
        [
            useradd,
            "--system",
            "--no-create-home",
            "--home-dir",
            "/nonexistent",
            "--shell",
            "/bin/false",
            ACCOUNT,
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    try:
        # Another start may have made it in the meantime: only its absence is a failure.
        return pwd.getpwnam(ACCOUNT)
    except KeyError:
        raise ConfigurationError(
            f"PostgreSQL refuses to run as root and the account {ACCOUNT} could not be made"
            f" ({made.stderr.strip()}): start Frontdesk as an ordinary user or set DATABASE_URL."
        ) from None


def open_tree(root: Path) -> None:
    """Let the account read and run what is below `root`, where it was installed under a umask that forbids it."""
    if root.stat().st_mode & stat.S_IROTH:
        return
    for path in (*root.rglob("*"), root):  # the root last: it says that all is done
        if not path.is_symlink():
            mode = stat.S_IMODE(path.stat().st_mode)
            path.chmod(mode | stat.S_IROTH | (stat.S_IXOTH if mode & stat.S_IXUSR else 0))


def open_path(*paths: Path) -> None:
    """Let the account pass through the directories above `paths`, by adding only the right to traverse them.

    Reading them stays as it was: a 0700 directory becomes 0711, whose content cannot be listed.
    """
    for directory in dict.fromkeys(parent for path in paths for parent in path.resolve().parents):
        mode = stat.S_IMODE(directory.stat().st_mode)
        if not mode & stat.S_IXOTH:
            directory.chmod(mode | stat.S_IXOTH)
            sys.stderr.write(
                f"{directory} may now be passed through (mode {mode | stat.S_IXOTH:o}), for PostgreSQL\n"
            )
