"""The reference for REST: Starlette and psycopg running the product's statements under the same tenant context.

    python -m benchmarks.rest_reference --port N --database URL --tenant ID --plan FILE

FILE maps paths to statements as `benchmarks.rest_tenant` prints them. No routing table, no authentication beyond the
statements themselves, no validation: what is left is the database driver and JSON.
"""

import argparse
import json
from collections.abc import Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Final

import orjson
import uvicorn
from psycopg import AsyncConnection
from psycopg.rows import dict_row
from psycopg.types.json import set_json_loads
from psycopg_pool import AsyncConnectionPool
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

CONTEXT: Final = (
    "set_config('search_path', '\"pool\", public', true), set_config('app.current_tenant_id', '{}', true)"
)


class Lists:
    """The endpoint: runs the plan of its path and answers with the rows of the last statement."""

    def __init__(
        self, pool: AsyncConnectionPool[Any], tenant: str, plan: dict[str, list[dict[str, Any]]]
    ) -> None:
        self._pool, self._begin, self._plan = pool, f"BEGIN;SELECT {CONTEXT.format(tenant)}".encode(), plan

    async def __call__(self, request: Request) -> Response:
        rows: Sequence[Any] = ()
        async with self._pool.connection() as connection:
            for statement in self._plan[request.url.path]:
                rows = await self._rows(connection, statement["sql"], statement["in_context"])
        body = orjson.dumps({"results": rows[:50], "next": None}, default=str)
        return Response(body, media_type="application/json")

    async def _rows(self, connection: AsyncConnection[Any], sql: str, in_context: bool) -> Sequence[Any]:
        if in_context:
            await connection.execute(self._begin)
        cursor = await connection.execute(sql, binary=True)  # type: ignore[arg-type]  # psycopg wants a literal
        rows = await cursor.fetchall()
        if in_context:
            await connection.execute("COMMIT")
        return rows


def application(database: str, tenant: str, plan: dict[str, list[dict[str, Any]]]) -> Starlette:
    """The application with a pool of ten connections."""
    set_json_loads(orjson.loads)
    options = {"autocommit": True, "row_factory": dict_row, "prepare_threshold": None}
    pool: AsyncConnectionPool[Any] = AsyncConnectionPool(
        database, min_size=4, max_size=10, open=False, kwargs=options
    )

    @asynccontextmanager
    async def lifespan(app: Starlette) -> Any:
        async with pool:
            yield

    lists = Lists(pool, tenant, plan)
    return Starlette(lifespan=lifespan, routes=[Route(path, lists.__call__) for path in plan])


def main() -> None:
    parser = argparse.ArgumentParser(description="Starlette and psycopg, and nothing more.")
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--database", required=True)
    parser.add_argument("--tenant", required=True)
    parser.add_argument("--plan", type=Path, required=True)
    arguments = parser.parse_args()
    plan = json.loads(arguments.plan.read_text())
    uvicorn.run(
        application(arguments.database, arguments.tenant, plan),
        port=arguments.port, loop="uvloop", http="httptools", access_log=False, log_level="warning",
    )  # fmt: skip


if __name__ == "__main__":
    main()
