"""A program to run as a child process: how to start it, how to stop it, where its output goes."""

import ctypes
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol

_PR_SET_PDEATHSIG = 1  # <sys/prctl.h>
_libc = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None


class Process(Protocol):
    """A running child: what subprocess.Popen and forked.ForkedProcess have in common."""

    pid: int

    @property
    def stdout(self) -> IO[bytes] | None: ...
    def poll(self) -> int | None: ...


@dataclass(frozen=True, slots=True)
class Program:
    """What a supervisor needs to start a program, to stop it, and to start it again.

    Its output is appended to `log`; without one it comes out of the process's `stdout`, a pipe.
    """

    name: str
    argv: tuple[str, ...]
    log: Path | None = None
    environment: Mapping[str, str] | None = None
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 10.0
    directory: Path = Path("/")
    keep_open: tuple[int, ...] = ()
    user: int | None = None
    group: int | None = None

    def start(self) -> subprocess.Popen[bytes]:
        """Start it in a session of its own, so that Ctrl-C reaches the supervisor alone; call from the main thread.

        It gets `stop_signal` when its parent dies, however that happens.
        """
        output = (
            subprocess.PIPE
            if self.log is None
            else os.open(self.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        )
        try:
            return subprocess.Popen(
                self.argv,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                env=self.environment,
                cwd=self.directory,
                user=self.user,
                group=self.group,
                extra_groups=None if self.user is None else [],
                umask=0o077,
                pass_fds=self.keep_open,
                start_new_session=True,
                preexec_fn=dying_with_parent(self.stop_signal),
            )
        finally:
            if self.log is not None:
                os.close(output)


def dying_with_parent(with_signal: signal.Signals) -> Callable[[], None]:
    """A function for the child, between fork and exec: from then on `with_signal` comes when the parent dies.

    Linux forgets the wish when the process changes its user, so it must be called after that; and it takes the thread
    that forked for the parent.
    """
    parent = os.getpid()

    def ask() -> None:
        if _libc is not None:
            _libc.prctl(_PR_SET_PDEATHSIG, int(with_signal))
            if os.getppid() != parent:  # it died in between
                os._exit(1)

    return ask


def process_started(process_id: int) -> str | None:
    """When a process started, as a mark that tells it from a later one with the same pid; None where it is gone."""
    try:
        stat = Path(f"/proc/{process_id}/stat").read_text()
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    except OSError:
        return None
    # proc_pid_stat(5): field 3 is the state, field 22 the start in ticks since boot. The name may hold anything.
    fields = stat.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else f"{boot}/{fields[19]}"


def stop_process(process_id: int, stop_signal: signal.Signals, within: float) -> None:
    """Stop a process that need not be ours, killing it after `within` seconds; returns once it is gone."""
    mark = process_started(process_id)
    deadline = time.monotonic() + within
    with suppress(ProcessLookupError):
        os.kill(process_id, stop_signal)
        while mark is not None and process_started(process_id) == mark:
            if time.monotonic() > deadline:
                os.kill(process_id, signal.SIGKILL)
            time.sleep(0.02)
    # Reaps it where it is a child of ours; a stranger's child is reaped by its own parent.
    with suppress(ChildProcessError):
        os.waitpid(process_id, 0)
