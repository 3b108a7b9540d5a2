"""Lines of the programs that `up` runs, in one shape: JSON as our own log lines are, or a person's text."""

import re
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import orjson

from config.logs import Format, redactor

# log_line_prefix of the embedded PostgreSQL: "%m [%p] %u ".
POSTGRES: Final = re.compile(
    r"(?P<time>[\d-]{10} [\d:.]{8,15}) UTC \[(?P<pid>\d+)\] (?P<role>\S*) ?(?P<severity>[A-Z]+[0-9]?):\s+(?P<event>.*)"
)
LEVELS: Final = {
    "WARNING": "warning",
    "ERROR": "error",
    "FATAL": "error",
    "PANIC": "critical",
}
# What PostgreSQL says on top of a line of its own.
CONTINUATIONS: Final = frozenset({"DETAIL", "HINT", "QUERY", "CONTEXT", "LOCATION", "STATEMENT"})
SAYS_THE_DEMOS_LOGIN: Final = "ready"
"""The one program whose lines hold a login on purpose, and only on a loopback address: it is not redacted."""

Write = Callable[[str], None]


def reporter(form: Format, write: Write) -> Callable[[str, str], None]:
    """A function that writes a program's line in the shape `form`."""

    def as_text(name: str, line: str) -> None:
        write(f"{time.strftime('%H:%M:%S')} {name:<9}| {line}")

    def as_json(name: str, line: str) -> None:
        write(orjson.dumps(shaped(name, line), default=str).decode())

    return as_json if form == "json" else as_text


def shaped(name: str, line: str) -> dict[str, Any]:
    """The fields of a program's line: its own where it writes JSON, else the line as the event."""
    if line.startswith("{"):
        try:
            found = orjson.loads(line)
        except orjson.JSONDecodeError:
            found = None
        if isinstance(found, dict) and "event" in found:
            # A step of ours says "command" of itself; here we know better.
            return {**found, "process": name}
    clean = line if name == SAYS_THE_DEMOS_LOGIN else redactor().text(line)
    return {**_stamped("info", name), "event": clean}


class PostgresLog:
    """Follows the embedded PostgreSQL's own log file and reports what is new in it.

    The file stays, because it outlives us. JSON shows everything; text only what stops the server, since an error of a
    statement is told by whoever sent it.
    """

    def __init__(self, file: Path, report: Callable[[str, str], None], form: Format) -> None:
        self._file, self._report, self._form = file, report, form
        self._read_to = file.stat().st_size if file.exists() else 0

    def follow(self) -> None:
        """Report the lines that were written since the last call."""
        try:
            with self._file.open("rb") as log:
                log.seek(self._read_to)
                content = log.read(1_000_000)
        except OSError:
            return
        whole = content[: content.rfind(b"\n") + 1]
        self._read_to += len(whole)
        for line in whole.decode(errors="replace").splitlines():
            found = POSTGRES.fullmatch(line)
            if found is not None and found["severity"] not in CONTINUATIONS:
                self._tell(found)

    def _tell(self, found: "re.Match[str]") -> None:
        level = LEVELS.get(found["severity"], "info")
        if self._form == "text":
            if level == "critical":
                self._report("postgres", f"{level}: {redactor().text(found['event'])}")
            return
        line = {
            **_stamped(level, "postgres", found["time"].replace(" ", "T") + "Z"),
            "event": redactor().text(found["event"]),
            "pid": int(found["pid"]),
            "role": found["role"],
        }
        self._report("postgres", orjson.dumps(line).decode())


def _stamped(level: str, name: str, moment: str | None = None) -> dict[str, Any]:
    when = moment or f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%S.%fZ}"
    return {"timestamp": when, "level": level, "process": name, "logger": "output"}
