"""What Sentry gets: the error and whose work it was; no body, header, person or secret."""

import json
import logging

import pytest
import sentry_sdk
from sentry_sdk.envelope import Envelope
from sentry_sdk.transport import Transport

from config import error_reports
from kernel import observing


class Kept(Transport):
    """Keeps what would be sent."""

    def __init__(self) -> None:
        super().__init__()
        self.envelopes: list[Envelope] = []

    def capture_envelope(self, envelope: Envelope) -> None:
        self.envelopes.append(envelope)

    def events(self) -> list[dict]:
        return [
            item.payload.json
            for envelope in self.envelopes
            for item in envelope.items
            if item.type == "event"
        ]


@pytest.fixture
def reported(settings, monkeypatch):
    monkeypatch.setattr(observing, "_process", "command")
    settings.SENTRY_DSN = "https://public@sentry.invalid/1"
    transport = Kept()
    assert error_reports.begin(transport=transport)
    yield transport
    sentry_sdk.get_client().close()
    sentry_sdk.init()


def test_nothing_is_reported_without_a_dsn(settings):
    settings.SENTRY_DSN = ""
    assert error_reports.begin() is False


def test_an_error_is_reported_with_the_work_it_belongs_to(reported):
    # Assembled here: the lines of source around the error are reported too.
    secret, ticket = "hunter2" * 2, "Xy12" * 3

    def fail(password):
        raise ValueError(f"cannot reach postgresql://app:{password}@db/x with fd_sk_{'a' * 30}")

    with observing.work(request_id="r-1", tenant_id="t-1", route="api/v1/documents/"):
        logging.getLogger("config.tests").info("before it: ticket=%s", ticket)
        try:
            fail(secret)
        except ValueError:
            logging.getLogger("config.tests").exception("it failed")
    (event,) = reported.events()
    assert event["tags"] == {
        "process": "command", "request_id": "r-1", "tenant_id": "t-1", "route": "api/v1/documents/",
    }  # fmt: skip
    (failure,) = event["exception"]["values"]
    assert failure["type"] == "ValueError"
    assert [frame["function"] for frame in failure["stacktrace"]["frames"]][-1] == "fail"
    text = json.dumps(event)
    for private in (secret, ticket, "fd_sk_aaa", "cookies"):
        assert private not in text
    assert "[redacted]@db/x" in text
    assert not {"request", "user"} & set(event)


def test_a_request_and_its_person_are_left_out():
    event = error_reports.scrubbed(
        {
            "request": {"data": "a body", "headers": {"Cookie": "x"}},
            "user": {"email": "a@b.c"},
            "extra": {"token": "x"},
        }
    )
    assert "a body" not in str(event)
    assert "a@b.c" not in str(event)
    assert event["extra"] == {"token": "[redacted]"}


def test_warnings_are_no_events(reported):
    logging.getLogger("config.tests").warning("only a warning")
    assert reported.events() == []
