"""Celery's tasks, watched: how long they wait and run, how they end, and whose request or trace they belong to.

By Celery's own signals, so that no task needs to know and those sent by name are covered too.
"""

import time
from contextlib import ExitStack
from typing import Any, Final

from celery import signals

from config import operating
from kernel import measuring, observing, tracing

SENT_AT: Final = "frontdesk_due_at"
REQUEST_ID: Final = "request_id"
TRACE: Final = ("traceparent", "tracestate")
SAID_EVERY_S: Final = 2.0

_running: dict[str, tuple[ExitStack, tracing.Span, float]] = {}
_said_at = 0.0


def send_along(headers: dict[str, Any] | None = None, **_: object) -> None:
    """Whom the task is sent for, and when it is due, travel in its headers."""
    if headers is None:
        return
    headers.update(tracing.carrier())
    request_id = observing.facts().get(REQUEST_ID)
    if request_id is not None:
        headers[REQUEST_ID] = str(request_id)
    # A task that is due later carries its time as text in `eta`: then the wait begins there.
    if not headers.get("eta"):
        headers[SENT_AT] = time.time()


def started(task_id: str = "", task: Any = None, **_: object) -> None:
    """A task begins in this thread."""
    given = _headers(task)
    due_at = given.get(SENT_AT)
    if isinstance(due_at, int | float):
        measuring.TASK_WAIT_SECONDS.labels(task.name).observe(max(0.0, time.time() - due_at))
    stack = ExitStack()
    stack.enter_context(
        observing.work(
            task=task.name,
            task_id=task_id,
            request_id=str(given.get(REQUEST_ID) or observing.new_request_id()),
        )
    )
    parent: dict[str, str] = {name: str(given[name]) for name in TRACE if name in given}
    span = stack.enter_context(
        tracing.span(
            f"task {task.name}",
            kind="consumer",
            parent=parent or None,
            messaging__system="celery",
            messaging__message__id=task_id,
        )
    )
    _running[task_id] = (stack, span, time.monotonic())


def ended(task_id: str = "", task: Any = None, state: str | None = None, **_: object) -> None:
    """The task that began in this thread is over."""
    begun = _running.pop(task_id, None)
    if begun is None:
        return
    stack, span, since = begun
    measuring.TASK_SECONDS.labels(task.name).observe(time.monotonic() - since)
    outcome = {"SUCCESS": "succeeded", "FAILURE": "failed", "RETRY": "retried"}.get(state or "", "rejected")
    measuring.TASKS.labels(task.name, outcome).inc()
    if outcome != "succeeded":
        span.fail(outcome)
    stack.close()


def say_that_beat_works(**_: object) -> None:
    """Beat works where it sends tasks; that its process exists is not enough."""
    global _said_at
    if observing.process() == "beat" and time.monotonic() - _said_at > SAID_EVERY_S:
        _said_at = time.monotonic()
        observing.works()


def worker_begins(**_: object) -> None:
    observing.begin("worker")


def beat_begins(**_: object) -> None:
    observing.begin("beat")


def worker_ends(**_: object) -> None:
    operating.end()


def leave_logging_alone(**_: object) -> None:
    """Connected to say that logging is set up already: Celery would replace our handlers."""


def _headers(task: Any) -> dict[str, Any]:
    """The message's headers, as a worker has them or as a test that calls the task gives them."""
    request = task.request
    found = dict(request.headers or {})
    for name in (SENT_AT, REQUEST_ID, *TRACE):
        if name not in found and getattr(request, name, None) is not None:
            found[name] = getattr(request, name)
    return found


signals.before_task_publish.connect(send_along)
signals.task_prerun.connect(started)
signals.task_postrun.connect(ended)
signals.after_task_publish.connect(say_that_beat_works)
signals.worker_init.connect(worker_begins)
signals.beat_init.connect(beat_begins)
signals.worker_shutdown.connect(worker_ends)
signals.setup_logging.connect(leave_logging_alone)
