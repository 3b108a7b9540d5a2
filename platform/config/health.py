"""Is this copy fit to serve? /healthz answers for the process, /readyz for all it needs.

A check returns None when all is well, else a short sentence that says what to do about it. Sentences never hold a
secret: they are public.
"""

import logging
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import redis
from django.conf import settings
from django.db import connection
from django.db.migrations.loader import MigrationLoader
from django.http import HttpRequest, HttpResponse, JsonResponse
from psycopg import sql

from ai.embedding import embedder, wait_for
from config.demo.readiness import documents_missing
from config.heartbeat import workers_seen
from kernel.errors import FrontdeskError
from knowledge import intents
from tenants import canaries
from tenants.models import POOL_SCHEMA
from tenants.roles import problems

Check = Callable[[], str | None]

KEPT_S = 2.0
"""How long one report answers everybody who asks, where all is well."""
KEPT_WHILE_MISSING_S = 0.25

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Report:
    """What was found: for each check "ok" or a sentence."""

    checks: dict[str, str]

    @property
    def ready(self) -> bool:
        return all(found == "ok" for found in self.checks.values())


class Readiness:
    """Runs checks, at most one round at a time, and keeps the last report for KEPT_S seconds."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._checks: dict[str, Check] = {}
        self._clock = clock
        self._running = threading.Lock()
        self._last = Report({"readiness": "it is being checked for the first time"})
        self._until = 0.0

    def register(self, name: str, check: Check) -> None:
        """Have `check` answer for `name`, which is public."""
        self._checks[name] = check

    def report(self) -> Report:
        """The current report. While another thread makes one, the last: nobody waits behind a slow check."""
        if self._clock() < self._until or not self._running.acquire(blocking=False):
            return self._last
        try:
            self._last = Report({name: self._outcome(name, check) for name, check in self._checks.items()})
            self._until = self._clock() + (KEPT_S if self._last.ready else KEPT_WHILE_MISSING_S)
            return self._last
        finally:
            self._running.release()

    @staticmethod
    def _outcome(name: str, check: Check) -> str:
        try:
            return check() or "ok"
        except Exception as error:
            # The message may quote a URL or a row; it goes to the log, and the public gets its kind.
            _log.warning("readiness check %s failed: %s", name, error)
            return f"the check failed with {type(error).__name__}; the log says more"


def once_well(check: Check, *, again_after: float | None = None) -> Check:
    """`check`, not run again once it has passed: never, or for `again_after` seconds."""
    passed_until = float("-inf")

    def run() -> str | None:
        nonlocal passed_until
        if time.monotonic() < passed_until:
            return None
        found = check()
        if found is None:
            passed_until = float("inf") if again_after is None else time.monotonic() + again_after
        return found

    return run


def database_missing() -> str | None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    return None


def unsafe_role() -> str | None:
    return "; ".join(problems()) or None


def unapplied_migrations() -> str | None:
    """Compares what is on disk with what every schema has recorded."""
    wanted = set(MigrationLoader(None, ignore_no_migrations=True).graph.leaf_nodes())
    with connection.cursor() as cursor:
        cursor.execute("SELECT schemaname FROM pg_tables WHERE tablename = 'django_migrations' ORDER BY 1")
        schemas = [name for (name,) in cursor.fetchall()]
        if POOL_SCHEMA not in schemas:
            return "the database is empty: run manage.py migrate_schemas"
        for schema in schemas:
            cursor.execute(
                sql.SQL("SELECT app, name FROM {}.django_migrations").format(sql.Identifier(schema))
            )
            if missing := wanted - set(cursor.fetchall()):
                app, name = min(missing)
                return f"schema {schema} lacks {app}.{name}: run manage.py migrate_schemas"
    return None


def visible_without_tenant() -> str | None:
    """Asks, with no tenant set, for a row of every tenant's table: row-level security must show none."""
    with connection.cursor() as cursor:
        # Tables of tenants are those with a tenant_id outside public, whose directory has rules of its own.
        cursor.execute(
            """
            SELECT n.nspname, c.relname
            FROM pg_class c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'tenant_id' AND NOT a.attisdropped
            WHERE c.relkind IN ('r', 'p') AND n.nspname <> 'public' AND has_table_privilege(c.oid, 'SELECT')
            ORDER BY 1, 2
            """
        )
        visible = visible_tables(cursor.fetchall())
    return f"rows are visible without a tenant: {', '.join(visible)}" if visible else None


def isolation_broken() -> str | None:
    """What /readyz says of isolation: None where it holds, else the first thing found."""
    found = visible_without_tenant()
    if found:
        return found
    # The sentence is public: the log and the isolation report name tables and tenants.
    number = len(canaries.breaches())
    return f"{number} breaches found by the canaries: see manage.py isolation_report" if number else None


def visible_tables(tables: Sequence[tuple[str, str]]) -> list[str]:
    """Those of `tables`, pairs of schema and name, in which the current role, as it is, sees a row."""
    if not tables:
        return []
    question = sql.SQL(" UNION ALL ").join(
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(".".join(table), sql.Identifier(*table))
        for table in tables
    )
    with connection.cursor() as cursor:
        cursor.execute(question)
        return [table for (table,) in cursor.fetchall()]


def redis_missing() -> str | None:
    try:
        _redis().ping()
    except redis.RedisError:
        return "Redis does not answer: check REDIS_URL"
    return None


def worker_missing() -> str | None:
    try:
        return None if workers_seen(_redis()) else "no worker was seen in the last minute: start one"
    except redis.RedisError:
        return "unknown, because Redis does not answer"


_embedder_loading = threading.Lock()
_embedder_failure: str | None = "it is being loaded"


def embedder_missing() -> str | None:
    """What keeps the embedder from answering at once; begins to load it, in a thread, where nobody does yet."""
    if _embedder_failure is not None and _embedder_loading.acquire(blocking=False):
        threading.Thread(target=_load_embedder, name="load-embedder", daemon=True).start()
    return _embedder_failure


def _load_embedder() -> None:
    global _embedder_failure
    try:
        # A model on this machine has something to load; one behind a network is ready when its settings are.
        prepare = getattr(embedder(), "prepare", None)
        if prepare is not None:
            prepare()
        # Small talk is recognised by sentences that must be embedded once: not while the first visitor waits.
        wait_for(intents.load(embedder()))
        _embedder_failure = None
    except FrontdeskError as error:
        _embedder_failure = f"it cannot be loaded: {error.detail}"
    except Exception as error:
        _log.exception("the embedder cannot be loaded")
        _embedder_failure = f"it cannot be loaded ({type(error).__name__}); the log says more"
    finally:
        _embedder_loading.release()


def _redis() -> redis.Redis:
    return redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2)


readiness = Readiness()
register = readiness.register

register("database", database_missing)
register("migrations", once_well(unapplied_migrations))
register("roles", once_well(unsafe_role, again_after=60.0))
register("isolation", once_well(isolation_broken, again_after=60.0))
register("redis", redis_missing)
register("worker", worker_missing)
register("embedder", embedder_missing)
register("demo", once_well(documents_missing))


def healthz(request: HttpRequest) -> HttpResponse:
    """200 as long as the process can answer at all."""
    return HttpResponse("ok", content_type="text/plain")


def readyz(request: HttpRequest) -> JsonResponse:
    """200 where every check is well, else 503: `{"status": "ok" | "unavailable", "checks": {name: "ok" or why}}`."""
    found = readiness.report()
    response = JsonResponse(
        {"status": "ok" if found.ready else "unavailable", "checks": found.checks},
        status=200 if found.ready else 503,
        headers={"Cache-Control": "no-store"},
    )
    # Django logs every 5xx as an error; here it is the answer to a question that is asked every second.
    setattr(response, "_has_been_logged", True)  # noqa: B010 - the attribute is Django's and untyped
    return response
