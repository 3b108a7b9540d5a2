"""docker-compose.yml, the Dockerfile and PgBouncer's file as tests read them, and the processes started as they say."""

import configparser
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psycopg
import yaml

from benchmarks.installation import Installation, free_port
from config import embedded, env, secret_files
from config.program import dying_with_parent
from config.service_account import postgres_account
from tests.config.places import CHECKOUT, environment, short_directory

COMPOSE: Final = yaml.safe_load((CHECKOUT / "docker-compose.yml").read_text())
SERVICES: Final[dict[str, dict[str, Any]]] = COMPOSE["services"]
DOCKERFILE: Final = (CHECKOUT / "Dockerfile").read_text()
COPIED: Final = " ".join(
    re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE.rpartition("AS frontdesk")[2], re.MULTILINE)
).split()
PGBOUNCER_FILE: Final = CHECKOUT / "docker" / "pgbouncer.ini"
VARIABLE: Final = re.compile(r"\$\{(\w+)(?::-((?:[^${}]|\$\{[^}]*\})*))?\}")
LONG_RUNNING: Final = ("web", "worker", "beat", "maintain")
# PgBouncer keeps prepared statements from this version on.
PREPARES_FROM: Final = (1, 21)
STARTED_WITHIN_S: Final = 90.0
SERVER_CONNECTIONS: Final = 3


def pgbouncer_settings() -> dict[str, str]:
    """The settings of docker/pgbouncer.ini."""
    parser = configparser.ConfigParser(comment_prefixes=(";",), interpolation=None)
    parser.read(PGBOUNCER_FILE)
    return dict(parser["pgbouncer"])


def settings_of(service: str) -> dict[str, str]:
    """A service's environment with the defaults of the file filled in, as Compose would without a .env."""
    found = SERVICES[service].get("environment") or {}
    return {name: filled(str(value)) for name, value in found.items()}


def filled(value: str) -> str:
    """`value` with every ${NAME:-default} replaced by its default."""
    while VARIABLE.search(value):
        value = VARIABLE.sub(lambda found: found[2] or "", value)
    return value


@dataclass(frozen=True, slots=True)
class Composed:
    """The services of docker-compose.yml, running here as processes of their own."""

    installation: Installation
    superuser_url: str
    logs: Path
    pooler: tuple[int, ...]

    def log(self) -> str:
        """What every process has printed."""
        return "\n".join(
            f"--- {file.name}\n{file.read_text(errors='replace')}" for file in sorted(self.logs.glob("*.log"))
        )


@contextmanager
def composed(**given: str) -> Iterator[Composed]:
    """bootstrap, migrate, web, worker, beat and maintain by the commands and with the settings of docker-compose.yml.

    PostgreSQL and Redis are the embedded ones; PgBouncer is Debian's, with our file and few server connections.
    """
    with short_directory() as root, ExitStack() as stack:
        root.chmod(0o755)
        home, secrets, logs = root / "state", root / "secrets", root / "logs"
        for directory in (home, logs):
            directory.mkdir()
        superuser = embedded.start_postgres(root, durable=False)
        stack.callback(embedded.stop_postgres, root)
        redis_url = embedded.start_redis(root, durable=False)
        stack.callback(embedded.stop_redis, root)
        secret_files.make(secrets)
        version, pool_port = _start_pgbouncer(stack, root, secrets, logs)
        _point_at(secrets, superuser, pool_port)
        port = free_port()
        here = {
            "FRONTDESK_HOME": str(home),
            "HOST": "127.0.0.1",
            "PORT": str(port),
            "BASE_URL": f"http://127.0.0.1:{port}",
            "REDIS_URL": redis_url,
            "LOG_FORMAT": "json",
            "FRONTDESK_DEMO": "0",
            "RATE_LIMITS": "off",
            "LIVEKIT_URL": "",
            "DB_PREPARED_STATEMENTS": "on" if version >= PREPARES_FROM else "off",
            **given,
        }
        code = _as_in_the_image(root / "image")
        here["PYTHONPATH"] = f"{code}:{code / 'platform'}"
        for service in ("bootstrap", "migrate"):
            with (logs / f"{service}.log").open("wb") as log:
                subprocess.run(
                    _command(service), cwd=code, env=_environment(service, secrets, here), check=True,
                    stdout=log, stderr=subprocess.STDOUT,
                )  # fmt: skip
        for service in LONG_RUNNING:
            _start(stack, service, _environment(service, secrets, here), code, logs)
        application = {
            **_environment("web", secrets, here),
            "DJANGO_SETTINGS_MODULE": "config.settings",
            "PYTHONPATH": f"{CHECKOUT}:{CHECKOUT / 'platform'}",
        }
        installation = Installation(home, f"http://127.0.0.1:{port}", os.getpid(), application)
        found = Composed(installation, superuser, logs, version)
        _await_ready(found)
        yield found


def alive(composed: Composed, service: str) -> subprocess.CompletedProcess[str]:
    """The service's own healthcheck."""
    _, *command = SERVICES[service]["healthcheck"]["test"]
    return subprocess.run(
        [sys.executable, *command[1:]], cwd=CHECKOUT, env=dict(composed.installation.environment),
        capture_output=True, text=True, check=False,
    )  # fmt: skip


def _as_in_the_image(code: Path) -> Path:
    """Only what the Dockerfile copies: whatever else of the checkout is needed would be missing there too."""
    unwanted = shutil.ignore_patterns("__pycache__", "*.pyc", "node_modules")
    code.mkdir()
    for source in COPIED:
        if (CHECKOUT / source).is_dir():
            shutil.copytree(CHECKOUT / source, code / source, ignore=unwanted)
        else:
            shutil.copy(CHECKOUT / source, code / source)
    return code


def _command(service: str) -> list[str]:
    program, *arguments = SERVICES[service]["command"]
    assert program == "python"
    return [sys.executable, *arguments]


def _environment(service: str, secrets: Path, here: Mapping[str, str]) -> dict[str, str]:
    settings = {
        name: value.replace("/secrets/", f"{secrets}/") for name, value in settings_of(service).items()
    }
    # tests guard against spending money by a variable that every process inherits.
    guard = {name: value for name, value in os.environ.items() if name.startswith("FRONTDESK_LOOPBACK")}
    return environment(**guard) | settings | here


def _start(stack: ExitStack, service: str, settings: dict[str, str], code: Path, logs: Path) -> None:
    with (logs / f"{service}.log").open("wb") as log:
        process = subprocess.Popen(
            _command(service), cwd=code, env=settings, stdin=subprocess.DEVNULL, stdout=log,
            stderr=subprocess.STDOUT, preexec_fn=dying_with_parent(signal.SIGTERM),
        )  # fmt: skip
    stack.callback(_stop, process)


def _stop(process: "subprocess.Popen[bytes]") -> None:
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _start_pgbouncer(stack: ExitStack, root: Path, secrets: Path, logs: Path) -> tuple[tuple[int, ...], int]:
    binary = shutil.which("pgbouncer", path=f"{os.environ.get('PATH', '')}:/usr/sbin")
    assert binary, "make check installs PgBouncer (.ci/prepare)"
    said = subprocess.run([binary, "--version"], capture_output=True, text=True, check=True).stdout
    version = tuple(map(int, re.findall(r"\d+", said)[:2]))
    port = free_port()
    settings = pgbouncer_settings() | {
        "listen_addr": "127.0.0.1",
        "listen_port": str(port),
        "unix_socket_dir": "",
        "auth_file": str(secrets / "pgbouncer" / "users.txt"),
        "default_pool_size": str(SERVER_CONNECTIONS),
        "reserve_pool_size": "0",
    }
    if version < PREPARES_FROM:
        del settings["max_prepared_statements"]
    lines = [
        "[databases]",
        f"frontdesk = host={env.postgres_directory(root)} dbname=frontdesk",
        "[pgbouncer]",
    ]
    lines += [f"{name} = {value}" for name, value in settings.items()]
    file = root / "pgbouncer.ini"
    file.write_text("\n".join(lines) + "\n")
    file.chmod(0o644)
    account = postgres_account()  # PgBouncer refuses to run as root, as PostgreSQL does
    with (logs / "pgbouncer.log").open("wb") as log:
        process = subprocess.Popen(
            [binary, str(file)], cwd="/", stdout=log, stderr=subprocess.STDOUT, extra_groups=[] if account else None,
            user=account and account.pw_uid, group=account and account.pw_gid,
        )  # fmt: skip
    stack.callback(_stop, process)
    return version, port


def _point_at(secrets: Path, superuser: str, pool_port: int) -> None:
    """The URLs lead to this machine's services; roles and passwords stay as they were made."""
    application = (secrets / "app" / "database_url").read_text()
    owner = (secrets / "owner" / "database_owner_url").read_text()
    socket = superuser.partition("?")[2]
    for file, url in (
        ("app/database_url", application.replace(secret_files.POOLER, f"127.0.0.1:{pool_port}")),
        ("owner/database_owner_url", owner.replace(secret_files.SERVER, "") + f"?{socket}"),
        ("superuser/database_superuser_url", superuser),
    ):
        (secrets / file).chmod(0o644)
        (secrets / file).write_text(url)


def _await_ready(found: Composed) -> None:
    deadline = time.monotonic() + STARTED_WITHIN_S
    while True:
        try:
            with urllib.request.urlopen(f"{found.installation.url}/readyz", timeout=5) as answer:
                if answer.status == 200:
                    return
        except (urllib.error.URLError, OSError) as error:
            why = error.read().decode() if isinstance(error, urllib.error.HTTPError) else str(error)
        assert time.monotonic() < deadline, f"{why}\n{found.log()[-6000:]}"
        time.sleep(0.2)


def backends(found: Composed) -> int:
    """How many connections the application's role has to PostgreSQL itself."""
    with psycopg.connect(found.superuser_url, dbname=env.DATABASE) as connection:
        row = connection.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE usename = %s", [env.APP_ROLE]
        ).fetchone()
    return int(row[0]) if row else 0
