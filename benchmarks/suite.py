"""Which benchmarks there are, and running one of them."""

import importlib
import multiprocessing
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from typing import Final

from benchmarks.table import Row, not_run

# Each module has TITLE and measure(full) -> list[Row]; the line of goals.md it answers for stands in its docstring.
BENCHMARKS: Final = {
    "chat": "benchmarks.chat",
    "connections": "benchmarks.connections",
    "rest": "benchmarks.rest",
    "search": "benchmarks.search_latency",
    "retrieval": "benchmarks.retrieval_quality",
    "costs": "benchmarks.cost_ledger",
    "start": "benchmarks.start",
}


def run(name: str, full: bool) -> list[Row]:
    """The rows of one benchmark. Whatever stops it becomes its only row."""
    try:
        module = importlib.import_module(BENCHMARKS[name])
        rows: list[Row] = module.measure(full)
    except (Exception, SystemExit) as problem:
        lines = str(problem).strip().splitlines() or [""]
        return [not_run(name, f"{type(problem).__name__}: {lines[0]}")]
    return rows


def run_apart(name: str, full: bool) -> list[Row]:
    """Run a benchmark in a process of its own: each sets up Django, and an event loop, for itself."""
    with ProcessPoolExecutor(1, mp_context=multiprocessing.get_context("spawn")) as pool:
        try:
            return pool.submit(run, name, full).result()
        except BrokenProcessPool:
            return [not_run(name, "its process was killed")]
