"""The mutation run finds what it should, every time `make check` runs: each weakening of the boundary is noticed."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.mark.live
def test_every_weakening_of_the_boundary_is_caught(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "tests.isolation.mutants"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    last = done.stdout.splitlines()[-1]
    assert int(last.split(" ")[0]) >= 300
    assert ", 0 survived, " in last
