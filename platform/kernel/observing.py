"""What this piece of work is and for whom: the request, socket or task that log lines, traces and errors belong to.

A door opens a piece of work; whoever learns more about it (the tenant, the key, the route) notes it. The facts are one
dictionary that threads and tasks started by the work share, so that what a database thread learns is known to the door.
Facts are ids and names of ours: never a secret and nothing that a visitor wrote.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from kernel.ids import uuid7

NOTHING: Final[Mapping[str, object]] = {}

_work: ContextVar[dict[str, object] | None] = ContextVar("work", default=None)
_process = "command"
_on_begin: list[Callable[[], None]] = []
_on_work: list[Callable[[], None]] = []


def on_begin(watch: Callable[[], None]) -> None:
    """Call `watch` when this process has said which program it is. `config` registers what watches programs."""
    _on_begin.append(watch)


def on_work(notice: Callable[[], None]) -> None:
    """Call `notice` whenever this process says that it works."""
    _on_work.append(notice)


def begin(program: str) -> None:
    """Begin as the long-running program `program` (web, worker, beat, maintain); once, where it starts."""
    global _process
    _process = program
    for watch in _on_begin:
        watch()


def works() -> None:
    """Say that this program does its work now, not merely that its process exists."""
    for notice in _on_work:
        notice()


def process() -> str:
    """Which program this process is; "command" for one that has not said."""
    return _process


@contextmanager
def work(**facts: object) -> Iterator[dict[str, object]]:
    """A piece of work that begins here. Yields its facts, which grow as they are noted."""
    found: dict[str, object] = dict(facts)
    token = _work.set(found)
    try:
        yield found
    finally:
        _work.reset(token)


def note(**facts: object) -> None:
    """Add to what is known about the current piece of work; nothing happens where there is none."""
    found = _work.get()
    if found is not None:
        found.update(facts)


def facts() -> Mapping[str, object]:
    """What is known about the current piece of work; empty where there is none."""
    found = _work.get()
    return NOTHING if found is None else found


def new_request_id() -> str:
    """A name for a piece of work that came without one: a UUIDv7 in hexadecimal, so that names sort by time."""
    return uuid7().hex
