"""What watches our long-running programs: their log lines, metrics, errors and traces begin where they do."""

from config import error_reports, logs, metrics_sharing, tracing
from kernel import observing


def watch_programs() -> None:
    """Watch whatever program this process says that it is (`kernel.observing.begin`)."""
    observing.on_begin(_begin)
    observing.on_work(metrics_sharing.seen)


def end() -> None:
    """The last word, before the process ends."""
    metrics_sharing.end()


def _begin() -> None:
    logs.log_the_uncaught()
    error_reports.begin()
    tracing.begin()
    metrics_sharing.begin()
