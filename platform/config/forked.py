"""A function run in a forked copy of this process: a step that reuses what is imported and leaves nothing behind."""

import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from config.program import dying_with_parent


@dataclass(frozen=True, slots=True)
class Step:
    """A function to run once, with the interface of a Program: its output comes out of a pipe, and it may be stopped.

    Its exit status is 0, or 1 where the function raised (with the traceback as output), or SystemExit's own.
    """

    name: str
    function: Callable[[], None]
    stop_signal: signal.Signals = signal.SIGTERM
    stop_within: float = 5.0
    log: Path | None = None

    def start(self) -> "ForkedProcess":
        """Fork; call from the main thread of a process that holds no open connection."""
        sys.stdout.flush()
        sys.stderr.flush()
        reading, writing = os.pipe()
        die_with_parent = dying_with_parent(self.stop_signal)
        process_id = os.fork()
        if process_id:
            os.close(writing)
            return ForkedProcess(process_id, os.fdopen(reading, "rb", buffering=0))
        status = 1
        try:
            os.setsid()
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGCHLD):
                signal.signal(number, signal.SIG_DFL)
            signal.set_wakeup_fd(-1)
            die_with_parent()
            os.dup2(writing, 1)
            os.dup2(writing, 2)
            sys.stdout = sys.stderr = os.fdopen(writing, "w", buffering=1, errors="backslashreplace")
            self.function()
            status = 0
        except SystemExit as ended:
            status = ended.code if isinstance(ended.code, int) else 1
        except BaseException:
            # The copy must never return into its caller's code, which belongs to the parent.
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(status)


class ForkedProcess:
    """The parent's view of a running Step, as much of subprocess.Popen as a supervisor uses."""

    def __init__(self, pid: int, stdout: IO[bytes]) -> None:
        self.pid = pid
        self.stdout = stdout
        self.returncode: int | None = None

    def poll(self) -> int | None:
        """The exit status (negative: the signal that ended it), None while it runs."""
        if self.returncode is None:
            found, status = os.waitpid(self.pid, os.WNOHANG)
            if found:
                self.returncode = os.waitstatus_to_exitcode(status)
        return self.returncode
