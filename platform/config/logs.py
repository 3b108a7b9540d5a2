"""Log lines: one JSON object each, or one readable line where a person watches; every library's included.

A line has the time (UTC, RFC 3339), level, process, logger and event, whatever was given with `extra=`, the facts of
the work it belongs to (`kernel.observing`: request, tenant, key or user) and the ids of its trace. Everything passes
the redactor before it is written.
"""

import logging
import sys
import threading
from collections.abc import MutableMapping
from functools import cache
from types import TracebackType
from typing import Any, Final, Literal

import orjson
import structlog
from django.conf import settings
from structlog.stdlib import ExtraAdder, ProcessorFormatter

from config.redaction import Redactor, known_secrets
from kernel import observing, tracing

Event = MutableMapping[str, Any]
Format = Literal["json", "text"]

PLAIN: Final = (str, int, float, bool, list, tuple, dict, type(None))
# Other libraries' extras that say again what the event says, or hold whole objects.
DROPPED: Final = frozenset({"request", "data", "stack_info", "taskName", "color_message"})
# What we fill in ourselves, from a fixed choice or as an id: nothing can be in them that must not be.
OURS: Final = frozenset(
    {
        "timestamp", "level", "process", "logger", "method", "route", "client", "request_id", "tenant_id", "key_id",
        "user_id", "session_id", "visitor_id", "widget_id", "trace_id", "span_id", "task_id",
    }
)  # fmt: skip
_stamp: Final = structlog.processors.TimeStamper(fmt="iso", utc=True)
_clock: Final = structlog.processors.TimeStamper(fmt="%H:%M:%S", utc=False)


def chosen_format(setting: str, stream: Any) -> Format:
    """`setting` (LOG_FORMAT), where "auto" is text for a terminal and JSON for everything else."""
    if setting == "auto":
        return "text" if stream.isatty() else "json"
    return "text" if setting == "text" else "json"


def formatter() -> logging.Formatter:
    """The formatter of the settings' LOGGING, for a handler that writes to standard error."""
    form = chosen_format(settings.LOG_FORMAT, sys.stderr)
    first: list[Any] = [ExtraAdder(), _described]
    last: list[Any] = [
        ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _redacted,
    ]
    if form == "json":
        return ProcessorFormatter(foreign_pre_chain=[*first, _stamp], processors=[*last, _as_json])
    watched = sys.stderr.isatty()
    render = structlog.dev.ConsoleRenderer(
        colors=watched, pad_event_to=0, exception_formatter=structlog.dev.plain_traceback
    )
    # Under `up` a pipe leads to the supervisor, which writes time and process itself.
    first += [_clock] if watched else [_without_process]
    return ProcessorFormatter(foreign_pre_chain=first, processors=[*last, render])


def log_the_uncaught() -> None:
    """Have what nobody caught, in the main thread or another, logged like everything else."""

    def in_main(
        kind: type[BaseException], error: BaseException, trace: TracebackType | None, where: str = "main"
    ) -> None:
        if issubclass(kind, KeyboardInterrupt):
            return
        logging.getLogger("config.uncaught").critical(
            "uncaught in thread %s", where, exc_info=(kind, error, trace)
        )

    def in_thread(failed: threading.ExceptHookArgs) -> None:
        if failed.exc_value is not None and failed.exc_type is not SystemExit:
            name = failed.thread.name if failed.thread else "?"
            in_main(failed.exc_type, failed.exc_value, failed.exc_traceback, name)

    sys.excepthook = in_main
    threading.excepthook = in_thread


@cache
def redactor() -> Redactor:
    """This process's redactor; it knows the secrets of the settings."""
    return Redactor(known_secrets(settings))


def _described(_: Any, __: str, event: Event) -> Event:
    record: logging.LogRecord = event["_record"]
    described: Event = {
        "level": record.levelname.lower(),
        "process": observing.process(),
        "logger": record.name,
        **{
            name: value
            for name, value in event.items()
            if name not in DROPPED
            and (name in ("_record", "_from_structlog", "exc_info") or isinstance(value, PLAIN))
        },
    }
    for name, value in observing.facts().items():
        described.setdefault(name, value)
    ids = tracing.current()
    if ids.trace_id:
        described["trace_id"], described["span_id"] = ids.trace_id, ids.span_id
    return described


def _without_process(_: Any, __: str, event: Event) -> Event:
    del event["process"]
    return event


def _redacted(_: Any, __: str, event: Event) -> Event:
    clean = redactor()
    return {name: value if name in OURS else clean.value(value, name) for name, value in event.items()}


def _as_json(_: Any, __: str, event: Event) -> str:
    ordered = {"timestamp": event.pop("timestamp", None), **event}
    return orjson.dumps(ordered, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
