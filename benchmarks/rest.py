"""REST: the CPU of our web process for a list, against Starlette and psycopg running the same statements, and what the
tenant context adds to a request."""

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import urlsplit

import aiohttp
import uvloop

from benchmarks.installation import ROOT, Installation, Tenant, free_port, installed
from benchmarks.processes import cpu_seconds
from benchmarks.table import Row, figure, ratio
from config import env

TITLE: Final = "REST lists and the tenant context"
CLIENTS: Final = 4
WARM_UP_S: Final = 1.5
READY_S: Final = 20.0


def measure(full: bool) -> list[Row]:
    """The rows of goals.md's REST and tenant context lines."""
    seconds = 15.0 if full else 4.0
    with installed() as installation:
        tenant = installation.tenant("rest")
        told = json.loads(installation.run_module("benchmarks.rest_tenant", tenant.id, tenant.api_key))
        rows = []
        with referring(installation, tenant, told) as (url, process_id):
            for name, path in told["paths"].items():
                ours = _cpu_ms(installation.url, path, tenant.api_key, installation.process("web"), seconds)
                theirs = _cpu_ms(url, path, tenant.api_key, process_id, seconds)
                statements = len(told["statements"][name])
                rows.append(
                    ratio(
                        f"REST, {name}: CPU per request",
                        ours,
                        theirs,
                        "ms",
                        3,
                        note=f"{statements} statements",
                    )
                )
        return [*rows, *_context_rows(installation, tenant, told["paths"]["50 sessions"])]


@contextmanager
def referring(installation: Installation, tenant: Tenant, told: dict[str, Any]) -> Iterator[tuple[str, int]]:
    """The reference beside a copy, on its database as the application's role: URL and pid."""
    port = free_port()
    plan = installation.home / "rest_plan.json"
    plan.write_text(
        json.dumps({urlsplit(path).path: told["statements"][name] for name, path in told["paths"].items()})
    )
    database = env.embedded_postgres_url(installation.home, env.APP_ROLE)
    command = [
        sys.executable, "-m", "benchmarks.rest_reference",
        "--port", str(port), "--database", database, "--tenant", tenant.id, "--plan", str(plan),
    ]  # fmt: skip
    process = subprocess.Popen(command, cwd=ROOT)
    try:
        yield f"http://127.0.0.1:{port}", process.pid
    finally:
        process.terminate()
        process.wait(10)


def _cpu_ms(url: str, path: str, key: str, process_id: int, seconds: float) -> float:
    """CPU milliseconds of a process per GET of `path`."""
    return uvloop.run(_loaded(url, path, key, process_id, seconds))


async def _loaded(url: str, path: str, key: str, process_id: int, seconds: float) -> float:
    headers = {"Authorization": f"Bearer {key}"}
    async with aiohttp.ClientSession(url, headers=headers) as http:
        await _await_answer(http, path)
        await _requests(http, path, WARM_UP_S)
        before = cpu_seconds(process_id)
        answered = await _requests(http, path, seconds)
        return (cpu_seconds(process_id) - before) * 1000 / answered


async def _await_answer(http: aiohttp.ClientSession, path: str) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        try:
            async with http.get(path) as response:
                response.raise_for_status()
                found = len((await response.json())["results"])
                if found != 50:
                    raise RuntimeError(f"{path} lists {found} items")
                return
        except aiohttp.ClientConnectionError:
            if time.monotonic() > deadline:
                raise
            await asyncio.sleep(0.1)


async def _requests(http: aiohttp.ClientSession, path: str, seconds: float) -> int:
    """GET `path` for `seconds` from four clients at once; how many were answered."""
    deadline = time.monotonic() + seconds

    async def client() -> int:
        answered = 0
        while time.monotonic() < deadline:
            async with http.get(path) as response:
                response.raise_for_status()
                await response.read()
            answered += 1
        return answered

    return sum(await asyncio.gather(*(client() for _ in range(CLIENTS))))


def _context_rows(installation: Installation, tenant: Tenant, path: str) -> list[Row]:
    found = json.loads(installation.run_module("benchmarks.tenant_context", tenant.id, tenant.api_key, path))
    with_, without = found["with"], found["without"]
    return [
        ratio("tenant context: CPU of a list", with_["cpu_ms"], without["cpu_ms"], "ms", 1.06, note="in one process"),
        figure(
            "tenant context: round trips added", with_["round_trips"] - without["round_trips"], "", 0,
            note=f"{with_['round_trips']} and {without['round_trips']}",
        ),
    ]  # fmt: skip
