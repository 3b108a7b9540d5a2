"""Directories short enough for unix sockets, and the environment of a Frontdesk started by a test."""

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parents[2]


@contextmanager
def short_directory() -> Iterator[Path]:
    """A directory directly under /tmp: pytest's own are too deep for sockets, and closed to PostgreSQL's account."""
    directory = Path(tempfile.mkdtemp(prefix="fdc", dir="/tmp"))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def environment(**settings: str) -> dict[str, str]:
    """What a newcomer's shell has, plus `settings`: none of this test run's own settings."""
    kept = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    python_path = os.pathsep.join([str(CHECKOUT), str(CHECKOUT / "platform")])
    return {**kept, "PYTHONPATH": python_path, **settings}
