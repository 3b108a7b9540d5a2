"""One Frontdesk per state directory: the lock, and what a killed one left running."""

import fcntl
import json
import os
import signal
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from config.program import process_started, stop_process
from config.readers import ConfigurationError


@contextmanager
def sole_use(home: Path) -> Iterator[None]:
    """Hold `home` for this process; raises ConfigurationError where another Frontdesk runs on it.

    The kernel lets go of the lock when the process ends, however it ends: there is no stale lock to remove.
    """
    try:
        home.mkdir(parents=True, mode=0o700, exist_ok=True)
        descriptor = os.open(home / "up.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"FRONTDESK_HOME is {str(home)!r}: it cannot be written to ({error.strerror})."
        ) from None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            holder = os.pread(descriptor, 32, 0).decode(errors="replace").strip() or "unknown"
            raise ConfigurationError(
                f"Another Frontdesk runs on this state (pid {holder}): stop it, or set FRONTDESK_HOME to a directory"
                " of its own."
            ) from None
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


class ChildRecord:
    """Which children run, kept in `home`, so that the next start can stop those of a supervisor that was killed."""

    def __init__(self, home: Path) -> None:
        self._file = home / "children.json"

    def write(self, process_ids: dict[str, int]) -> None:
        """Replace the record by these processes, each with the mark that tells it from a later one of its pid."""
        entries = [[name, pid, process_started(pid)] for name, pid in process_ids.items()]
        draft = self._file.with_suffix(".new")
        draft.write_text(json.dumps(entries))
        draft.replace(self._file)

    def stop_survivors(self, within: float = 8.0) -> list[str]:
        """Stop every recorded process that still runs; returns their names."""
        survivors: list[tuple[str, int]] = []
        # No record, or one cut short by a power failure: after that there are no survivors either.
        with suppress(OSError, ValueError):
            for name, process_id, mark in json.loads(self._file.read_text()):
                if mark is not None and process_started(process_id) == mark:
                    survivors.append((name, process_id))
        for _, process_id in survivors:  # ask all first, then wait for each
            with suppress(ProcessLookupError):
                os.kill(process_id, signal.SIGTERM)
        for _, process_id in survivors:
            stop_process(process_id, signal.SIGTERM, within)
        self._file.unlink(missing_ok=True)
        return [name for name, _ in survivors]
