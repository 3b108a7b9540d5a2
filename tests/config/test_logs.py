"""Log lines: JSON with the facts of their work, or text for a person; without secrets in both."""

import io
import json
import logging
import sys
import threading

import pytest

from config import logs
from kernel import observing


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.fixture
def written(settings, monkeypatch):
    """A function that logs to a stream of its own in the given format, and what came out."""
    monkeypatch.setattr(observing, "_process", "command")

    def write(form, act, stream=None):
        stream = stream or io.StringIO()
        settings.LOG_FORMAT = form
        monkeypatch.setattr(sys, "stderr", stream)
        handler = logging.StreamHandler(stream)
        handler.setFormatter(logs.formatter())
        logger = logging.getLogger("tests.logs")
        logger.handlers, logger.propagate = [handler], False
        logger.setLevel("INFO")
        act(logger)
        return stream.getvalue()

    return write


@pytest.mark.parametrize(
    ("setting", "stream", "form"),
    [("auto", Terminal(), "text"), ("auto", io.StringIO(), "json"), ("text", io.StringIO(), "text"),
     ("json", Terminal(), "json")],
)  # fmt: skip
def test_the_format_is_chosen_by_setting_or_by_who_reads(setting, stream, form):
    assert logs.chosen_format(setting, stream) == form


def test_a_line_is_one_json_object_with_the_facts_of_its_work(written):
    def act(logger):
        with observing.work(request_id="r-1", tenant_id="t-1"):
            logger.info("answer %s is over", "a-1", extra={"duration_ms": 1.5})

    line = json.loads(written("json", act))
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "level": "info", "process": "command", "logger": "tests.logs", "event": "answer a-1 is over",
        "duration_ms": 1.5, "request_id": "r-1", "tenant_id": "t-1",
    }  # fmt: skip


@pytest.mark.parametrize("form", ["json", "text"])
def test_an_exception_comes_with_its_traceback_and_without_its_secret(written, form):
    def act(logger):
        try:
            raise ValueError("cannot connect to postgresql://app:hunter2hunter2@db/x")
        except ValueError:
            logger.exception("it failed")

    text = written(form, act)
    assert "hunter2" not in text
    assert "Traceback" in text
    assert "[redacted]@db/x" in text
    if form == "json":
        assert text.count("\n") == 1


def test_objects_and_arguments_of_other_libraries_are_left_out(written):
    def act(logger):
        logger.warning(
            "Bad Request", extra={"request": object(), "data": {"args": ["x"]}, "status_code": 400}
        )

    line = json.loads(written("json", act))
    assert line["status_code"] == 400
    assert not {"request", "data"} & set(line)


def test_text_is_one_readable_line(written):
    text = written("text", lambda logger: logger.info("it works", extra={"count": 3}))
    assert text.count("\n") == 1
    assert "it works" in text
    assert "count=3" in text
    assert "process=" not in text


def test_what_nobody_caught_is_logged(monkeypatch, caplog):
    monkeypatch.setattr(sys, "excepthook", sys.excepthook)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    logs.log_the_uncaught()

    def fail():
        raise RuntimeError("in a thread")

    thread = threading.Thread(target=fail, name="poor")
    thread.start()
    thread.join()
    sys.excepthook(ValueError, ValueError("in the main thread"), None)
    sys.excepthook(KeyboardInterrupt, KeyboardInterrupt(), None)
    assert [record.getMessage() for record in caplog.records] == [
        "uncaught in thread poor", "uncaught in thread main",
    ]  # fmt: skip
