"""The ledger's goals (goals.md: cost rollup, hard cap, cost event intake), each against its reference in the same run.

On a server of its own with durable commits, as the application's role. Takes about a minute; at full size the rollup
runs at 1M and 10M events instead of 40k and 400k.
"""

import multiprocessing
import os
import shutil
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from benchmarks.table import Row, figure, ratio

TITLE = "cost ledger: rollup, hard cap, intake"
ROOT = Path(__file__).resolve().parents[1]


class Size(NamedTuple):
    """How much is measured: events in the small and the large table, new ones to fold, seconds per count."""

    small: int
    large: int
    new: int
    seconds: float


SMALL_RUN = Size(40_000, 400_000, 20_000, 2.0)
FULL_RUN = Size(1_000_000, 10_000_000, 100_000, 10.0)


def measure(full: bool) -> list[Row]:
    """The rows of goals.md."""
    size = FULL_RUN if full else SMALL_RUN
    with stage():
        return [*rollup_rows(size), *hard_cap_rows(size.seconds), *intake_rows()]


@contextmanager
def stage() -> Iterator[None]:
    """A migrated database with durable commits, Redis, and Django set up for the application's role."""
    sys.path[:0] = [str(ROOT), str(ROOT / "platform")]
    home = Path(tempfile.mkdtemp(prefix="fdb", dir="/tmp"))
    os.environ.update(FRONTDESK_HOME=str(home), DJANGO_SETTINGS_MODULE="config.settings")
    from config import embedded, env
    from config.bootstrap import bootstrap_embedded

    try:
        embedded.start_postgres(home)
        embedded.start_redis(home)
        bootstrap_embedded(env.embedded_postgres_url(home, env.SUPERUSER_ROLE, "postgres"))
        import django
        from django.core.management import call_command

        django.setup()
        call_command("migrate_schemas", verbosity=0)
        yield
    finally:
        from django.db import connections

        connections.close_all()
        embedded.stop_redis(home)
        embedded.stop_postgres(home)
        shutil.rmtree(home, ignore_errors=True)


def tenant(name: str):  # type: ignore[no-untyped-def]  # a model that exists only once Django is set up
    from tenants.creating import create_tenant

    return create_tenant(name, f"{name}-{uuid4().hex[:8]}")


def superuser():  # type: ignore[no-untyped-def]  # as above
    import psycopg

    from config import env

    return psycopg.connect(env.embedded_postgres_url(env.home(), env.SUPERUSER_ROLE), autocommit=True)


def timed(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


# Rollup. Events of the last three hours, one in fifty of them late by up to thirty days.

FILL = """
    INSERT INTO {table} (id, tenant_id, service, provider, model, feature, input_tokens, output_tokens, tokens_used,
                         latency_ms, cost_usd, idempotency_key, timestamp)
    SELECT uuidv7(), %(tenant)s, 'llm', 'openai', 'model-' || n %% 5, 'feature-' || n %% 3, 800, 200, 1000, n %% 900,
           (n %% 1000) / 100000.0, %(batch)s || ':' || n,
           now() - CASE WHEN n %% 50 = 0 THEN n %% 43200 ELSE n %% 180 END * interval '1 minute'
    FROM generate_series(1, %(count)s) AS n
"""
GROUP_BY = """
    SELECT date_trunc('hour', timestamp, 'UTC'), service, provider, model, feature, sum(cost_usd), sum(tokens_used),
           count(*), sum(latency_ms)
    FROM cost_events WHERE xid >= %s::xid8 GROUP BY 1, 2, 3, 4, 5
"""


def fill(owner, count: int, table: str = "cost_events") -> float:  # type: ignore[no-untyped-def]
    from django.db import connection

    from tenants.context import acting_as

    values = {"tenant": owner.pk, "count": count, "batch": uuid4().hex}
    with acting_as(owner), connection.cursor() as cursor:
        return timed(lambda: cursor.execute(FILL.format(table=table), values))


def fold(owner) -> float:  # type: ignore[no-untyped-def]
    from billing.costs import rollup
    from tenants.context import acting_as

    def until_done() -> None:
        with acting_as(owner):
            rollup.fold()

    return timed(until_done)


def fold_new(owner, count: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Seconds to fold `count` new events, and for one GROUP BY over the same."""
    from django.db import connection

    from billing.models import RollupWatermark
    from tenants.context import acting_as

    folds, groups = [], []
    for _ in range(3):
        fill(owner, count)
        with acting_as(owner), connection.cursor() as cursor:
            mark = RollupWatermark.objects.get().folded_to
            groups.append(timed(lambda: cursor.execute(GROUP_BY, [str(mark)])))  # noqa: B023 - called at once
        folds.append(fold(owner))
    return min(folds), min(groups)


def rollup_rows(size: Size) -> list[Row]:
    owner = tenant("rollup")
    fill(owner, size.small)
    fold(owner)
    _analyze()
    small, group = fold_new(owner, size.new)
    fill(owner, size.large - size.small - 3 * size.new)
    fold(owner)
    _analyze()
    large, _ = fold_new(owner, size.new)
    with_xid, without = _inserts(owner, size.new)
    each, fold_ms = 1e6 / size.new, 1000
    return [
        ratio(
            f"rollup, per event of {size.large:,}, at {size.small:,}",
            large * each,
            small * each,
            "µs",
            1.25,
        ),
        ratio(
            f"rollup, fold of {size.new:,} events, of one GROUP BY", small * fold_ms, group * fold_ms, "ms", 3
        ),
        ratio("rollup, insert, of a table without it", with_xid * each, without * each, "µs/row", 1.3),
    ]


def _inserts(owner, count: int) -> tuple[float, float]:  # type: ignore[no-untyped-def]
    """Seconds to insert into a twin of cost_events, and into one without the column xid and its index."""
    with superuser() as database:
        for name in ("twin_with", "twin_without"):
            database.execute(f"CREATE TABLE pool.{name} (LIKE pool.cost_events INCLUDING ALL)")
            database.execute(f"GRANT INSERT ON pool.{name} TO frontdesk_app")
        database.execute("ALTER TABLE pool.twin_without DROP COLUMN xid")
    # By turns and the least of several, since another program's load only ever adds.
    rounds = [(fill(owner, count, "twin_with"), fill(owner, count, "twin_without")) for _ in range(7)]
    with superuser() as database:
        database.execute("DROP TABLE pool.twin_with, pool.twin_without")
    with_xid, without = (min(column) for column in zip(*rounds, strict=True))
    return with_xid, without


def _analyze() -> None:
    with superuser() as database:
        database.execute("VACUUM ANALYZE pool.cost_events")


# Hard cap.


def _client(kind: str, identifier: object, seconds: float, barrier, results) -> None:  # type: ignore[no-untyped-def]
    """One client process: as many operations on the tenant's one budget as fit into the time."""
    import django

    django.setup()
    from django.db import connection

    from billing.costs import budgets
    from tenants.context import TenantRef, acting_as

    connection.ensure_connection()
    ref = TenantRef(identifier, "pool")  # type: ignore[arg-type]

    def update() -> None:
        with acting_as(ref), connection.cursor() as cursor:
            cursor.execute("UPDATE budgets SET reserved = reserved + 0")

    def pair() -> None:
        purpose = uuid4()
        with acting_as(ref):
            budgets.reserve(amount=Decimal("0.01"), purpose_id=purpose)
        with acting_as(ref):
            budgets.settle(purpose)

    operation = {"update": update, "pair": pair}[kind]
    operation()
    barrier.wait(100)
    done, until = 0, time.perf_counter() + seconds
    while time.perf_counter() < until:
        operation()
        done += 1
    results.put(done)


def per_second(kind: str, identifier: object, clients: int, seconds: float) -> float:
    from django.db import connection

    # The pool's threads would not survive the fork.
    connection.close()
    connection.close_pool()
    context = multiprocessing.get_context("fork")
    barrier, results = context.Barrier(clients), context.Queue()
    workers = [
        context.Process(target=_client, args=(kind, identifier, seconds, barrier, results), daemon=True)
        for _ in range(clients)
    ]
    for worker in workers:
        worker.start()
    total = sum(results.get(timeout=120) for _ in workers)
    for worker in workers:
        worker.join()
    return float(total) / seconds


def hard_cap_rows(seconds: float) -> list[Row]:
    from billing.models import Budget
    from tenants.context import acting_as

    owner = tenant("cap")
    with acting_as(owner):
        budget = Budget.objects.create(limit_usd=Decimal(1_000_000), hard_cap=True)
    rows = []
    for clients, bound in ((8, 0.4), (32, 0.25)):
        # By turns, and the best of each, since another program's load only ever takes away.
        rounds = [
            [per_second(kind, owner.pk, clients, seconds) for kind in ("pair", "update")] for _ in range(3)
        ]
        pairs, updates = (max(column) for column in zip(*rounds, strict=True))
        what = f"hard cap, reserve and settle, of one UPDATE, {clients} clients"
        rows.append(ratio(what, pairs, updates, "/s", bound, direction="at least"))
    with acting_as(owner):
        budget.refresh_from_db()
        assert budget.reserved == 0, "holds were lost"
    return rows


# Intake.


def intake_rows() -> list[Row]:
    import orjson
    from django.conf import settings
    from django.test import Client

    from tenants.authentication import issue_api_key
    from tenants.context import acting_as

    settings.ALLOWED_HOSTS = [*settings.ALLOWED_HOSTS, "testserver"]
    settings.ROOT_URLCONF = "benchmarks.cost_event_urls"
    owner = tenant("intake")
    with acting_as(owner):
        secret = issue_api_key("bench", ["write"])[1]
    client, batches = Client(), 10

    def body() -> bytes:
        event = {
            "service": "llm", "provider": "openai", "model": "gpt-4o-mini", "feature": "calls",
            "input_tokens": 800, "output_tokens": 200, "latency_ms": 640,
        }  # fmt: skip
        return orjson.dumps([{**event, "idempotency_key": uuid4().hex} for _ in range(1000)])

    def post(data: bytes) -> None:
        headers = {"Authorization": f"Bearer {secret}"}
        response = client.post("/api/v1/cost-events/", data, "application/json", headers=headers)
        assert response.status_code == 201, response.content

    post(body())
    posted = min(timed(lambda: post(data)) for data in [body() for _ in range(batches)])  # noqa: B023 - called at once
    copied = min(timed(lambda: _copy(owner.pk)) for _ in range(batches))
    rates = 1000 / posted, 1000 / copied
    return [
        ratio("cost events, array POST, of COPY", *rates, "rows/s", 0.25, direction="at least"),
        figure("cost events, an answer's two, CPU", _hot_path(owner), "ms", 0.4),
    ]


def _copy(identifier: object) -> None:
    """1,000 rows by COPY, as a superuser: PostgreSQL refuses COPY under row-level security."""
    columns = (
        "tenant_id, service, provider, model, feature, input_tokens, output_tokens, tokens_used, latency_ms, "
        "cost_usd, idempotency_key"
    )
    row = (identifier, "llm", "openai", "gpt-4o-mini", "calls", 800, 200, 1000, 640, Decimal("0.00024"))
    with (
        superuser() as database,
        database.transaction(),
        database.cursor() as cursor,
        cursor.copy(f"COPY pool.cost_events ({columns}) FROM STDIN") as copy,
    ):
        for _ in range(1000):
            copy.write_row((*row, uuid4().hex))


def _hot_path(owner) -> float:  # type: ignore[no-untyped-def]
    """Milliseconds that an answer pays for its two events: CPU of this process, the server's not counted."""
    from ai.usage import Usage
    from billing.costs import ledger
    from billing.costs.ledger import NewCostEvent
    from tenants.context import acting_as

    def events() -> list[NewCostEvent]:
        usage = Usage(input_tokens=800, output_tokens=200, cached_tokens=100)
        return [
            NewCostEvent(
                service="llm",
                provider="openai",
                model="gpt-4o-mini",
                usage=usage,
                idempotency_key=uuid4().hex,
            ),
            NewCostEvent(
                service="embedding",
                provider="local",
                model="minilm",
                usage=Usage(20),
                idempotency_key=uuid4().hex,
            ),
        ]

    spent = []
    for _ in range(400):
        batch = events()
        with acting_as(owner):
            started = time.thread_time()
            ledger.record(batch)
            spent.append(time.thread_time() - started)
    return statistics.median(spent) * 1000
