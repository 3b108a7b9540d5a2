"""Seconds until a copy is ready, with the dependencies installed, and the bytes until a visitor can type.

Wall-clock, because that is what a newcomer waits; on a busy machine it says more about the machine.
"""

import gzip
import tempfile
import time
from pathlib import Path
from typing import Final

from benchmarks.installation import ROOT, installed
from benchmarks.table import Row, figure

TITLE: Final = "start of a copy, weight of the widget"
DIST: Final = ROOT / "widgets" / "embed" / "dist"
GZIP_LEVEL: Final = 9


def measure(full: bool) -> list[Row]:
    """The rows of goals.md's start and widget lines."""
    # Short paths: a unix socket's is limited.
    with (
        tempfile.TemporaryDirectory(prefix="fdb-") as home,
        tempfile.TemporaryDirectory(prefix="fdb-") as demo_home,
    ):
        cold = _seconds_until_ready(home)
        warm = _seconds_until_ready(home)
        with_demo = _seconds_until_ready(demo_home, FRONTDESK_DEMO="1")
    return [
        figure("start: cold, with the demo", with_demo, "s", 20),
        figure("start: cold, without the demo", cold, "s", 12),
        figure("start: warm", warm, "s", 5),
        figure("widget: loader, gzip", _gzipped("loader.js") / 1024, "KB", 4),
        figure("widget: whole panel, gzip", _gzipped("panel.js") / 1024, "KB", 30),
    ]


def _seconds_until_ready(home: str, **settings: str) -> float:
    began = time.perf_counter()
    with installed(Path(home), **settings):
        return time.perf_counter() - began


def _gzipped(name: str) -> int:
    return len(gzip.compress((DIST / name).read_bytes(), GZIP_LEVEL))
