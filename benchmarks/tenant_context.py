"""Inside a copy: one list with the tenant context and without it; prints CPU and round trips of both as JSON.

    installation.run_module("benchmarks.tenant_context", TENANT_ID, API_KEY, PATH)

Without: the tenant is set once on the connection, for good, and each transaction begins as Django would begin it. Only
an experiment on a connection of one tenant may do that.
"""

import json
import sys
import time
from typing import Any, Final

import psycopg
from django.conf import settings
from django.db import connection
from django.test import Client

from tenants.db.base import DatabaseWrapper

ROUNDS: Final = 20
REQUESTS: Final = 40


class RoundTrips:
    """Counts what is sent and waited for: statements, psycopg's own BEGIN and COMMIT, the context's message."""

    def __init__(self) -> None:
        self.count = 0
        self._count_calls(psycopg.Cursor, "execute")
        self._count_calls(psycopg.Connection, "_exec_command")
        self._count_calls(DatabaseWrapper, "_execute")

    def _count_calls(self, owner: type, name: str) -> None:
        original = getattr(owner, name)

        def counted(*arguments: Any, **options: Any) -> Any:
            self.count += 1
            return original(*arguments, **options)

        setattr(owner, name, counted)


def main(tenant_id: str, key: str, path: str) -> dict[str, dict[str, float]]:
    """CPU milliseconds per request, the least of twenty interleaved rounds each, and round trips per request."""
    settings.ALLOWED_HOSTS = ["*"]
    client = Client(headers={"Authorization": f"Bearer {key}", "Host": "localhost"})
    connection.close = lambda: None  # type: ignore[method-assign]  # one connection for all requests
    client.get(path)
    handle = DatabaseWrapper._handle_search_path
    with connection.cursor() as cursor:
        cursor.execute(f"SET search_path = pool, public; SET app.current_tenant_id = '{tenant_id}'")
    ways = {"with": handle, "without": lambda wrapper, cursor=None: None}
    cpu: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(ROUNDS):
        for name, way in ways.items():
            DatabaseWrapper._handle_search_path = way  # type: ignore[method-assign]
            cpu[name].append(_cpu_ms(client, path))
    counter = RoundTrips()
    found = {}
    for name, way in ways.items():
        DatabaseWrapper._handle_search_path = way  # type: ignore[method-assign]
        client.get(path)  # a key's use is noted once a minute: not in the request that is counted
        before = counter.count
        client.get(path)
        found[name] = {"cpu_ms": min(cpu[name]), "round_trips": counter.count - before}
    return found


def _cpu_ms(client: Client, path: str) -> float:
    began = time.process_time()
    for _ in range(REQUESTS):
        if client.get(path).status_code != 200:
            raise RuntimeError(f"GET {path} failed")
    return (time.process_time() - began) * 1000 / REQUESTS


if __name__ == "__main__":
    sys.stdout.write(json.dumps(main(*sys.argv[1:4])))
