"""The benchmarks of goals.md, each a row of ours beside a reference measured in the same run.

    python -m benchmarks [--list] [--only chat,rest]        (make bench)

Prints one table, also where we fall short, and writes it as JSON to benchmarks/results/. BENCH_FULL=1 measures at full
size. Ends with status 0 whatever was found: a bar is judged by people, on a machine that they know.
"""

import argparse
import importlib
import json
import os
import platform
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from benchmarks.suite import BENCHMARKS, run_apart
from benchmarks.table import Row, render, verdict

RESULTS: Final = Path(__file__).parent / "results"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description="Run the benchmarks.")
    parser.add_argument("--list", action="store_true", help="say what there is")
    parser.add_argument("--only", help="names, by commas")
    arguments = parser.parse_args()
    names = arguments.only.split(",") if arguments.only else list(BENCHMARKS)
    unknown = [name for name in names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if arguments.list:
        for name in names:
            print(f"{name:<12} {importlib.import_module(BENCHMARKS[name]).TITLE}")
        return 0
    full = os.environ.get("BENCH_FULL") == "1"
    rows: list[Row] = []
    for name in names:
        began = time.monotonic()
        print(f"{name} ...", end=" ", file=sys.stderr, flush=True)
        rows += run_apart(name, full)
        print(f"{time.monotonic() - began:.0f} s", file=sys.stderr)
    print(render(rows))
    print(f"\n{verdict(rows)}. {_machine()}")
    print(f"Written to benchmarks/results/{_keep(rows, full).name}")
    return 0


def _keep(rows: list[Row], full: bool) -> Path:
    RESULTS.mkdir(exist_ok=True)
    moment = datetime.now(UTC)
    file = RESULTS / f"{moment:%Y%m%dT%H%M%SZ}.json"
    document = {
        "at": moment.isoformat(),
        "commit": _commit(),
        "machine": _machine(),
        "full": full,
        "rows": [row.as_json() for row in rows],
    }
    file.write_text(json.dumps(document, indent=2) + "\n")
    return file


def _machine() -> str:
    load = os.getloadavg()[0]
    return f"{os.cpu_count()} cores, Python {platform.python_version()}, load {load:.1f}"


def _commit() -> str:
    done = subprocess.run(
        ["git", "describe", "--always", "--dirty"],
        cwd=Path(__file__).parent,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip()


if __name__ == "__main__":
    sys.exit(main())
