"""One command for everything: services, roles, migrations, demo, then web, worker, beat and maintain, supervised."""

import errno
import os
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import redis
from django.conf import settings
from django.core.management import call_command

from config import env
from config.announce import announce_when_ready
from config.bootstrap import bootstrap_embedded
from config.embedded import (
    ServiceFailed,
    await_postgres,
    await_redis,
    clear_postgres,
    clear_redis,
    log_file,
    postgres_service,
    redis_service,
)
from config.forked import Step
from config.heartbeat import forget_workers
from config.logs import Format
from config.program import Program
from config.readers import ConfigurationError
from config.shaping import PostgresLog
from config.state import ChildRecord, sole_use
from config.supervisor import Stopped, Supervisor

STOP_ORDER = (
    ("ready", "prepare", "rebase"),
    ("web", "beat"),
    ("worker", "maintain"),
    ("redis",),
    ("postgres",),
)
BACKLOG = 2048
# Whoever holds one of these can change tables; web, worker and beat never get them.
OWNERS_SETTINGS = tuple(
    f"{name}{suffix}" for name in ("DATABASE_OWNER_URL", "DATABASE_SUPERUSER_URL") for suffix in ("", "_FILE")
)


def launch(report: Callable[[str, str], None], form: Format = "text") -> int:
    """Run Frontdesk until it is asked to stop; returns the exit status. `form` is the shape of what `report` writes.

    Raises ConfigurationError, before anything is started, where a setting is wrong, the port is taken or another
    Frontdesk runs on the same state.
    """
    home = env.home()
    if not env.database_owner_url():
        raise ConfigurationError(
            "DATABASE_OWNER_URL is not set: where DATABASE_URL is, migrations and maintain need the owner's URL too."
        )
    # Whatever we or our children create is for this user alone.
    os.umask(0o077)
    with sole_use(home):
        record = ChildRecord(home)
        for name in record.stop_survivors():
            report("up", f"stopped {name}, left over from a start that was killed")
        listening = listen(env.text("HOST", "127.0.0.1"), env.integer("PORT", 8000, 1, 65535))
        on_tick = _nothing
        if env.embedded_postgres():
            on_tick = PostgresLog(log_file(home, "postgres"), report, form).follow
        supervisor = Supervisor(report, stop_order=STOP_ORDER, on_change=record.write, on_tick=on_tick)
        try:
            with listening, supervisor:
                _run(home, supervisor, listening)
        except Stopped as stopped:
            report("up", f"stopped: {stopped}" if stopped.status else "stopped")
            return stopped.status
        except ServiceFailed as failed:
            report("up", f"stopped: {failed}")
            return 1
    return 0


def _nothing() -> None:
    """What is done on each tick where no PostgreSQL of ours is to be followed."""


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens there; raises ConfigurationError, naming HOST or PORT, where it cannot."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
    except (socket.gaierror, UnicodeError):
        raise ConfigurationError(f"HOST is {host!r}: it must be an address of this machine.") from None
    listening = socket.socket(family, kind, protocol)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind(address)
        listening.listen(BACKLOG)
    except OSError as error:
        listening.close()
        where = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        if isinstance(error, PermissionError):
            raise ConfigurationError(f"PORT is {port}: only root may listen on a port below 1024.") from None
        if error.errno == errno.EADDRINUSE:
            raise ConfigurationError(
                f"PORT is {port}: another program listens on {where}; stop it or set PORT to a free port."
            ) from None
        raise ConfigurationError(f"HOST is {host!r}: it must be an address of this machine.") from None
    return listening


def _run(home: Path, supervisor: Supervisor, listening: socket.socket) -> None:
    _start_services(home, supervisor)
    supervisor.run_to_end(Step("prepare", _prepare))
    for program in programs(home, listening.fileno()):
        supervisor.start(program)
    # From here only the web process takes connections; ours is kept for its successors.
    supervisor.start_once(Step("ready", announce_when_ready))
    # Beside them, for it visits every tenant: summaries of a database that was restored, or upgraded, wait for it.
    supervisor.start_once(Step("rebase", _rebase))
    supervisor.run()


def _start_services(home: Path, supervisor: Supervisor) -> None:
    if env.embedded_postgres():
        service = postgres_service(home)
        clear_postgres(home)
        await_postgres(home, supervisor.start(service), service)
    if env.embedded_redis():
        service = redis_service(home)
        clear_redis(home)
        await_redis(home, supervisor.start(service), service)
        with redis.Redis.from_url(env.redis_url()) as client:
            forget_workers(client)


def _prepare() -> None:
    """Roles and grants (embedded only), migrations, and the demo where it is wanted and not there yet."""
    began = time.monotonic()
    if env.embedded_postgres():
        bootstrap_embedded(env.embedded_postgres_url(env.home(), env.SUPERUSER_ROLE, "postgres"))
    Path(settings.STATIC_ROOT).mkdir(parents=True, exist_ok=True)
    call_command("migrate_schemas", verbosity=0, interactive=False)
    if env.flag("FRONTDESK_DEMO", True):
        call_command("demo", seed=True)
    print(f"roles, migrations and demo are in place, after {time.monotonic() - began:.1f} s")


def _rebase() -> None:
    call_command("rollup", rebase=True)


def programs(home: Path, listening: int) -> list[Program]:
    """The four processes of the product, with the roles they may have."""
    python = sys.executable
    unprivileged = {name: value for name, value in os.environ.items() if name not in OWNERS_SETTINGS}
    unprivileged |= {
        "PYTHONPATH": os.pathsep.join(
            filter(None, [str(env.CHECKOUT), str(env.CHECKOUT / "platform"), os.environ.get("PYTHONPATH")])
        ),
        "PYTHONUNBUFFERED": "1",
        "FRONTDESK_HOME": str(home),
        # Said outright even when embedded: with no DATABASE_URL a process would know the owner's URL too.
        "DATABASE_URL": env.database_url(),
        "REDIS_URL": env.redis_url(),
    }
    for name in ("DATABASE_URL_FILE", "REDIS_URL_FILE"):
        unprivileged.pop(name, None)
    manage = str(env.CHECKOUT / "manage.py")
    owner = {**unprivileged, "DATABASE_OWNER_URL": env.database_owner_url()}

    def program(name: str, argv: tuple[str, ...], within: float, **more: Any) -> Program:
        given = {"environment": unprivileged, **more}
        return Program(name, argv, directory=env.CHECKOUT, stop_within=within, **given)

    return [
        program("web", (python, "-m", "config.web", "--fd", str(listening)), 15.0, keep_open=(listening,)),
        program("worker", (python, "-m", "config.worker"), 20.0),
        program("beat", (python, "-m", "config.beat"), 5.0),
        program("maintain", (python, manage, "maintain"), 10.0, environment=owner),
    ]
