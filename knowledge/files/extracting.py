"""The text of a file, read by a process of its own that may be killed: a bomb, a loop or a crash costs that process.

Celery's thread pool has no time limits (measured.md section 7), and a parser of C code can take its whole process down.
"""

import json
import logging
import os
import signal
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import IO, Any, Final

from kernel.errors import FrontdeskError, InvalidInput
from knowledge.files.outcome import Read
from knowledge.files.recognising import Kind

WALL_S: Final = 90.0
"""Seconds by the clock, within a document's lease. The process has CPU_S of them on a processor, and nothing to wait
for but a processor: who needs more by the clock stood behind others."""
CHECKOUT: Final = Path(__file__).resolve().parents[2]
CHILD: Final = (sys.executable, "-s", "-P", "-W", "ignore", "-m", "knowledge.files.child")
# Nothing of the worker's environment, which holds keys.
ENVIRONMENT: Final = {
    "PYTHONPATH": os.pathsep.join((str(CHECKOUT), str(CHECKOUT / "platform"))),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONIOENCODING": "utf-8:backslashreplace",
    "LANG": "C.UTF-8",
}
TOO_LONG: Final = "it takes too long to read: it is very large or broken; split it into parts or save it anew"
CRASHED: Final = "it is broken, or too large to be read in one piece: save it anew or split it into parts"

logger = logging.getLogger(__name__)


class TooBusy(FrontdeskError):
    """This machine had no time for the file; it may have later."""

    code = "too_busy"


def extract(name: str, kind: Kind, data: bytes, *, charset: str = "") -> Read:
    """The text of a file as markdown. `charset` is what a server said of its encoding.

    Raises InvalidInput on `file` with the reason where it cannot be read, whatever is in it; TooBusy, and OSError where
    this machine cannot start a process. Call it outside any transaction: it may take WALL_S.
    """
    with tempfile.TemporaryFile() as given, tempfile.TemporaryFile() as answered:
        given.write(data)
        given.seek(0)
        code = _run(kind, charset, given, answered)
        answered.seek(0)
        answer = _answer(answered.read()) if code == 0 else None
    if code is None:
        logger.warning("the reader of a %s got too little of a processor in %s s", kind.name, WALL_S)
        raise TooBusy("This machine is too busy to read the file; it will be tried again.")
    if answer is None:
        logger.info("the reader of a %s ended with %s", kind.name, code)
        reason = TOO_LONG if code == -signal.SIGXCPU else CRASHED
        raise InvalidInput.of("file", f"“{name}” cannot be read: {reason}")
    if "refused" in answer:
        raise InvalidInput.of("file", f"“{name}” cannot be read: {answer['refused']}")
    if not answer["confined"]:
        logger.warning("files are read without a system call filter: this kernel has none")
    return Read(answer["text"], answer["title"])


def _run(kind: Kind, charset: str, given: IO[bytes], answered: IO[bytes]) -> int | None:
    """The exit status, negative for a signal; None where it was killed for taking too long."""
    process = subprocess.Popen(
        (*CHILD, kind.name, charset[:40]),
        stdin=given,
        stdout=answered,
        stderr=subprocess.DEVNULL,
        cwd="/",
        env=ENVIRONMENT,
        start_new_session=True,
    )
    try:
        return process.wait(WALL_S)
    except subprocess.TimeoutExpired:
        return None
    finally:
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            logger.debug("the reader has gone already")
        process.wait()


def _answer(written: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(written)
    except ValueError:
        return None
    return answer if isinstance(answer, dict) else None
