"""The secrets of a Compose installation: `python -m config.secret_files /secrets` makes those that are not there yet.

One directory for each who may know what is in it, each a volume of its own: web and worker never see the owner's
password, nor anybody but `bootstrap` the superuser's. Nothing that is there is ever changed.
"""

import secrets
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final

from config.env import APP_ROLE, DATABASE, OWNER_ROLE, SUPERUSER_ROLE

POOLER: Final = "pgbouncer:6432"
SERVER: Final = "postgres:5432"
# Everybody in the container may read them: several users' containers share a volume, and nobody else sees it.
READABLE: Final = 0o444
LIVEKIT: Final = """\
port: 7880
rtc:
  tcp_port: 7881
  port_range_start: 50000
  port_range_end: 50020
  use_external_ip: false
keys:
  {key}: {secret}
"""


def make(root: Path) -> list[str]:
    """Make every secret file below `root` that is not there; the names of those made."""
    made: list[str] = []

    def kept(name: str, content: Callable[[], str]) -> str:
        """The content of `name`, made by `content` where it is missing."""
        file = root / name
        if not file.exists():
            file.parent.mkdir(parents=True, exist_ok=True)
            draft = file.with_suffix(".new")
            draft.unlink(missing_ok=True)
            draft.write_text(content())
            draft.chmod(READABLE)
            draft.replace(file)
            made.append(name)
        return file.read_text().strip()

    superuser = kept("superuser/password", _password)
    kept("superuser/database_superuser_url", lambda: _url(SUPERUSER_ROLE, superuser, SERVER, SUPERUSER_ROLE))
    kept("owner/database_owner_url", lambda: _url(OWNER_ROLE, _password(), SERVER, DATABASE))
    application = kept("app/database_url", lambda: _url(APP_ROLE, _password(), POOLER, DATABASE))
    password = application.partition("://")[2].partition("@")[0].partition(":")[2]
    kept("pgbouncer/users.txt", lambda: f'"{APP_ROLE}" "{password}"')
    for name in ("secret_key", "encryption_keys", "metrics_token"):
        kept(f"app/{name}", lambda: secrets.token_urlsafe(48))
    key = kept("app/livekit_api_key", lambda: "API" + secrets.token_hex(6))
    secret = kept("app/livekit_api_secret", lambda: secrets.token_urlsafe(36))
    kept("livekit/livekit.yaml", lambda: LIVEKIT.format(key=key, secret=secret))
    return made


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m config.secret_files DIRECTORY\n")
        return 2
    made = make(Path(arguments[0]))
    sys.stdout.write(f"made: {', '.join(made)}\n" if made else "every secret is there\n")
    return 0


def _password() -> str:
    # Letters and digits only: nothing to escape in a URL or in PgBouncer's file.
    return secrets.token_hex(24)


def _url(role: str, password: str, server: str, database: str) -> str:
    return f"postgresql://{role}:{password}@{server}/{database}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
