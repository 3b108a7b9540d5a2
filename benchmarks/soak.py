"""The long ones, bounded in time and no part of CI: fuzzing the socket and the API, kill -9 of every program.

    python -m benchmarks.soak [--only fuzz,api,kill] [--seed N]        (make soak)

Some six minutes; BENCH_FULL=1 takes up to forty-five. Prints one table and ends with status 1 where a promise was
broken.
"""

import argparse
import os
import random
import sys
from collections.abc import Sequence
from typing import Final

import uvloop

from benchmarks.api_fuzzing import fuzz_api
from benchmarks.fuzzing import fuzz
from benchmarks.installation import Installation, Tenant
from benchmarks.killing import SLOW_MODEL, kill_and_check
from benchmarks.knowledge_base import Api, teach
from benchmarks.stub_model import MODEL, installed_with_stub
from benchmarks.table import Row, render, verdict
from benchmarks.visitors import Website, client_session
from tests.ai import stub_provider

PARTS: Final = ("fuzz", "api", "kill")
FRAMES, FRAMES_FULL = 10_000, 100_000
ROUNDS, ROUNDS_FULL = 1, 10
API_S, API_FULL_S = 120, 900


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.soak", description="Soak Frontdesk.")
    parser.add_argument("--only", default=",".join(PARTS), help=f"of {', '.join(PARTS)}, by commas")
    parser.add_argument("--seed", type=int, default=random.randrange(10**6), help="of the mutated frames")
    given = parser.parse_args(arguments)
    full = os.environ.get("BENCH_FULL") == "1"
    rows: list[Row] = []
    for part in given.only.split(","):
        print(f"{part}, seed {given.seed} ...", file=sys.stderr, flush=True)
        rows += soak(part, full, given.seed)
    print(render(rows))
    print(f"\n{verdict(rows)}.")
    return int(any(row.passed is False for row in rows))


def soak(part: str, full: bool, seed: int) -> list[Row]:
    """The rows of one part, on a copy of its own."""
    model = SLOW_MODEL if part == "kill" else MODEL
    with stub_provider.running() as provider, installed_with_stub(provider, model) as (installation, tenant):
        if part == "api":
            return fuzz_api(installation, seconds=API_FULL_S if full else API_S, seed=seed)
        return uvloop.run(_soak(part, installation, tenant, full, seed))


async def _soak(part: str, installation: Installation, tenant: Tenant, full: bool, seed: int) -> list[Row]:
    async with client_session() as http:
        api = Api(http, installation.url, tenant.api_key)
        await teach(api)
        website = Website(http, installation.url, tenant.widget_key, tenant.origin)
        if part == "fuzz":
            return await fuzz(installation, website, FRAMES_FULL if full else FRAMES, seed)
        return await kill_and_check(installation, website, api, ROUNDS_FULL if full else ROUNDS)


if __name__ == "__main__":
    sys.exit(main())
