"""A private copy of Frontdesk for a benchmark: the whole product as `make up` runs it, on a state of its own."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from benchmarks.processes import cpu_seconds, pss_bytes
from config.program import dying_with_parent

ROOT: Final = Path(__file__).resolve().parents[1]
RUN_IN_DJANGO: Final = (
    "import runpy, sys, django; django.setup(); runpy.run_module(sys.argv.pop(1), run_name='__main__')"
)
READY_S: Final = 120.0
STOP_S: Final = 60.0
LINES_SHOWN: Final = 30
# A benchmark decides all of these itself: what the caller's shell says must not change a figure.
INHERITED: Final = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR", "TZ", "VIRTUAL_ENV")


class DidNotStart(Exception):
    """Frontdesk is not ready in time, or ended; the text shows the end of its log."""


@dataclass(frozen=True, slots=True)
class Tenant:
    """A tenant of the copy, with what its programs and its website need."""

    id: str
    slug: str
    api_key: str
    widget_key: str
    origin: str


@dataclass(frozen=True, slots=True)
class Installation:
    """A running copy."""

    home: Path
    url: str
    supervisor: int
    environment: Mapping[str, str]

    def process(self, name: str) -> int:
        """The pid of web, worker, beat, maintain, postgres or redis. Raises KeyError while it is dead."""
        children = json.loads((self.home / "children.json").read_text())
        return int({child: pid for child, pid, _ in children}[name])

    def cpu(self) -> dict[str, float]:
        """CPU seconds so far of each program with all below it, and of `all` of ours together."""
        names = ("web", "worker", "beat", "maintain", "postgres", "redis")
        return {"all": cpu_seconds(self.supervisor)} | {
            name: cpu_seconds(self.process(name)) for name in names
        }

    def pss(self, name: str) -> int:
        """Memory of one program in bytes, shared pages by their share."""
        return pss_bytes(self.process(name))

    def tenant(self, slug: str, **options: object) -> Tenant:
        """A new tenant with a personality, a widget and a key, made by `benchmarks.furnishing` with its options."""
        made = self.run_module("benchmarks.furnishing", slug, json.dumps(options))
        return Tenant(**json.loads(made))

    def run_module(self, name: str, *arguments: str) -> str:
        """Run a module as a program of this copy, Django set up, as another terminal would; its standard output."""
        command = [sys.executable, "-c", RUN_IN_DJANGO, name, *arguments]
        environment = dict(self.environment)
        done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{name} {' '.join(arguments)} failed:\n{done.stderr[-3000:]}")
        return done.stdout

    def is_ready(self) -> bool:
        """Whether /readyz answers 200."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=5) as response:
                return bool(response.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def log(self) -> str:
        """The end of what it printed."""
        return "\n".join((self.home / "up.log").read_text(errors="replace").splitlines()[-LINES_SHOWN:])


@contextmanager
def installed(home: Path | None = None, **settings: str) -> Iterator[Installation]:
    """Start a copy with these settings, wait until it is ready, and stop it; its state is deleted afterwards.

    Without the demo, without rate limits, on a free port. With `home` the state is there and stays; BENCH_HOME keeps it
    in that directory too, for looking.
    """
    kept = home or os.environ.get("BENCH_HOME")
    home = Path(kept or tempfile.mkdtemp(prefix="fdb-"))
    port = free_port()
    environment = {name: os.environ[name] for name in INHERITED if name in os.environ}
    environment |= {
        "PYTHONPATH": f"{ROOT}:{ROOT / 'platform'}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        "FRONTDESK_HOME": str(home),
        "FRONTDESK_DEMO": "0",
        "PORT": str(port),
        "RATE_LIMITS": "off",
        # One address asks for a whole crowd: the caps are kept, as in the product, and never reached.
        "SPEND_CAP_SESSION_USD": "100000",
        "SPEND_CAP_VISITOR_DAY_USD": "100000",
        "SPEND_CAP_ADDRESS_DAY_USD": "100000",
        **settings,
    }
    try:
        with _running(home, f"http://127.0.0.1:{port}", environment) as installation:
            yield installation
    finally:
        if not kept:
            shutil.rmtree(home, ignore_errors=True)


def free_port() -> int:
    """A port on which nobody listens now."""
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


@contextmanager
def _running(home: Path, url: str, environment: dict[str, str]) -> Iterator[Installation]:
    home.mkdir(parents=True, exist_ok=True)
    with (home / "up.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "manage.py", "up"],
            cwd=ROOT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            # So that nothing is left running when a benchmark is killed.
            preexec_fn=dying_with_parent(signal.SIGTERM),
        )
    installation = Installation(home, url, process.pid, environment)
    try:
        _await_ready(installation, process)
        yield installation
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _await_ready(installation: Installation, process: "subprocess.Popen[Any]") -> None:
    deadline = time.monotonic() + READY_S
    while not installation.is_ready():
        if process.poll() is not None:
            raise DidNotStart(f"it ended with status {process.returncode}:\n{installation.log()}")
        if time.monotonic() > deadline:
            raise DidNotStart(f"not ready after {READY_S:g} s:\n{installation.log()}")
        time.sleep(0.1)
