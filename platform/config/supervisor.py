"""Keeps programs running: prefixes their output, restarts the dead, gives up on the hopeless, stops in order.

One thread, one selector, no locks. Children are started only from here: the death signal of program.py belongs to
the thread that forked, so it comes when the supervisor ends and not before.
"""

import os
import selectors
import signal
import socket
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from types import FrameType
from typing import IO, Protocol

from config.embedded import tail
from config.program import Process

DEATHS_ALLOWED = 4
DEATHS_WITHIN_S = 60.0
FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15.0
LINES_KEPT = 20
LONGEST_LINE = 65_536


class Startable(Protocol):
    """program.Program or forked.Step."""

    @property
    def name(self) -> str: ...
    @property
    def log(self) -> Path | None: ...
    @property
    def stop_signal(self) -> signal.Signals: ...
    @property
    def stop_within(self) -> float: ...
    def start(self) -> Process: ...


class Stopped(Exception):
    """The run is over. `status` is the exit status; the text says why, and is empty where somebody asked for it."""

    def __init__(self, status: int, reason: str = "") -> None:
        super().__init__(reason)
        self.status = status


def pause_after(deaths: int) -> float:
    """Seconds until the next start after `deaths` within the last minute: 0.5, 1, 2, 4, … at most 15."""
    return min(FIRST_PAUSE_S * 2.0 ** max(0, deaths - 1), LONGEST_PAUSE_S)


@dataclass(slots=True)
class _Child:
    program: Startable
    kept: bool
    process: Process | None = None
    start_at: float = 0.0
    deaths: deque[float] = field(default_factory=deque)
    unfinished: bytes = b""
    lines: deque[str] = field(default_factory=lambda: deque(maxlen=LINES_KEPT))

    def last_lines(self) -> str:
        return tail(self.program.log, LINES_KEPT) if self.program.log else "\n".join(self.lines)


class Supervisor:
    """Runs programs until SIGINT, SIGTERM or SIGHUP, or until one of them dies five times within a minute.

    A context manager: leaving it stops every child, group after group of `stop_order` (names), whatever the reason.
    `report(name, line)` prints; `on_change` is told which processes run whenever that changes; `on_tick` is called at
    least once a second.
    """

    def __init__(
        self,
        report: Callable[[str, str], None],
        *,
        stop_order: Sequence[tuple[str, ...]] = (),
        on_change: Callable[[dict[str, int]], None] = lambda running: None,
        on_tick: Callable[[], None] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._report = report
        self._stop_order = stop_order
        self._on_change = on_change
        self._on_tick = on_tick
        self._clock = clock
        self._children: dict[str, _Child] = {}
        self._asked_to_stop = 0
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> "Supervisor":
        # Every signal becomes a byte in this socket and wakes the selector: none is missed between a look and a wait.
        self._awake, wake = socket.socketpair()
        self._wake = wake
        for end in (self._awake, wake):
            end.setblocking(False)
        self._selector.register(self._awake, selectors.EVENT_READ)
        self._former_wakeup = signal.set_wakeup_fd(wake.fileno(), warn_on_full_buffer=False)
        self._former_handlers = {
            number: signal.signal(number, self._ask_to_stop)
            for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        }
        self._former_handlers[signal.SIGCHLD] = signal.signal(signal.SIGCHLD, lambda number, frame: None)
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._stop_all()
        finally:
            signal.set_wakeup_fd(self._former_wakeup)
            for number, handler in self._former_handlers.items():
                signal.signal(number, handler)
            self._selector.close()
            self._awake.close()
            self._wake.close()

    def start(self, program: Startable) -> Process:
        """Start a program and keep it running from now on."""
        return self._start(self._children.setdefault(program.name, _Child(program, kept=True)))

    def start_once(self, program: Startable) -> None:
        """Start a program that ends by itself and is left alone after that."""
        self._start(self._children.setdefault(program.name, _Child(program, kept=False)))

    def run_to_end(self, program: Startable) -> None:
        """Run a program that ends by itself, keeping the others running; raises Stopped where it fails."""
        child = _Child(program, kept=False)
        self._children[program.name] = child
        process = self._start(child)
        while program.name in self._children:
            self.tick()
        status = process.poll()
        if status:
            raise Stopped(1, f"{program.name} failed ({_ending(status)})")

    def run(self) -> None:
        """Keep the programs running; ends only by raising Stopped."""
        while True:
            self.tick()

    def tick(self, longest: float = 1.0) -> None:
        """Wait up to `longest` seconds for something to happen, and deal with it; raises Stopped."""
        now = self._clock()
        waits = [child.start_at - now for child in self._children.values() if child.process is None]
        self._read(max(0.0, min([longest, *waits])))
        self._on_tick()
        if self._asked_to_stop:
            raise Stopped(0)
        for child in list(self._children.values()):
            if child.process is None and child.start_at <= self._clock():
                self._start(child)
            elif child.process is not None and (status := child.process.poll()) is not None:
                self._bury(child, child.process, status)
                if child.kept:
                    self._plan_restart(child, status)

    def _start(self, child: _Child) -> Process:
        process = child.program.start()
        child.process = process
        if process.stdout is not None:
            os.set_blocking(process.stdout.fileno(), False)
            self._selector.register(process.stdout, selectors.EVENT_READ, child)
        if child.kept:
            again = " again" if child.deaths else ""
            self._report(child.program.name, f"started{again}, pid {process.pid}")
        self._tell()
        return process

    def _plan_restart(self, child: _Child, status: int) -> None:
        now = self._clock()
        child.deaths.append(now)
        while child.deaths[0] <= now - DEATHS_WITHIN_S:
            child.deaths.popleft()
        name, count = child.program.name, len(child.deaths)
        if count > DEATHS_ALLOWED:
            reason = f"{name} died {count} times within a minute (the last time it {_ending(status)})"
            raise Stopped(1, f"{reason}; its last lines:\n{child.last_lines() or '(none)'}")
        pause = pause_after(count)
        child.start_at = now + pause
        self._report(name, f"{_ending(status)}; it is started again in {pause:g} s")

    def _bury(self, child: _Child, process: Process, status: int) -> None:
        # Whatever it started itself goes with it, before a successor starts.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        if process.stdout is not None:
            self._read_from(child, process.stdout)
            with suppress(KeyError):
                self._selector.unregister(process.stdout)
            process.stdout.close()
            self._line(child, child.unfinished)
            child.unfinished = b""
        child.process = None
        if not child.kept:
            del self._children[child.program.name]
        self._tell()

    def _stop_all(self) -> None:
        named = {name for group in self._stop_order for name in group}
        others = tuple(name for name in self._children if name not in named)
        for group in (others, *self._stop_order):
            self._stop_group([self._children[name] for name in group if name in self._children])

    def _stop_group(self, group: list[_Child]) -> None:
        patience = max(1, self._asked_to_stop)
        running = [(child, child.process) for child in group if child.process is not None]
        for child, process in running:
            with suppress(ProcessLookupError):
                os.kill(process.pid, child.program.stop_signal)
        began = self._clock()
        while running:
            # Asked once more, we wait no longer for this group: a kill loses no more than a power failure.
            hurried = self._asked_to_stop > patience
            for child, process in list(running):
                status = process.poll()
                if status is not None:
                    running.remove((child, process))
                    self._bury(child, process, status)
                elif hurried or self._clock() - began > child.program.stop_within:
                    self._report(child.program.name, "did not stop in time and is killed")
                    with suppress(ProcessLookupError):
                        os.killpg(process.pid, signal.SIGKILL)
                    while process.poll() is None:
                        time.sleep(0.01)
            if running:
                self._read(0.1)

    def _read(self, wait: float) -> None:
        for key, _ in self._selector.select(wait):
            if key.data is None:
                with suppress(BlockingIOError):
                    self._awake.recv(4096)
            elif not self._read_from(key.data, key.fileobj):  # type: ignore[arg-type]  # registered by _start
                self._selector.unregister(key.fileobj)

    def _read_from(self, child: _Child, stdout: IO[bytes]) -> bool:
        """Report what a child has printed so far; False once it has closed its output."""
        while True:
            try:
                chunk = os.read(stdout.fileno(), 65_536)
            except BlockingIOError:
                return True
            if not chunk:
                return False
            *lines, child.unfinished = (child.unfinished + chunk).split(b"\n")
            for line in lines:
                self._line(child, line)
            if len(child.unfinished) > LONGEST_LINE:
                self._line(child, child.unfinished)
                child.unfinished = b""

    def _line(self, child: _Child, line: bytes) -> None:
        shown = line.decode(errors="replace").rstrip()
        if shown:
            child.lines.append(shown)
            self._report(child.program.name, shown)

    def _tell(self) -> None:
        self._on_change(
            {name: child.process.pid for name, child in self._children.items() if child.process is not None}
        )

    def _ask_to_stop(self, number: int, frame: FrameType | None) -> None:
        self._asked_to_stop += 1


def _ending(status: int) -> str:
    if status < 0:
        return f"was ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
