"""A receiver of webhooks on this machine, and the way to it past the rule that nobody may be reached here."""

import contextlib
import socket
import threading
from dataclasses import dataclass

import orjson
from django.utils import timezone

from kernel import clock
from tenants.context import TenantRef, acting_as
from tenants.webhooks import delivering
from tenants.webhooks.endpoints import create_endpoint
from tenants.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.kernel.test_outbound import Loopback

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def answer(status, *headers, body=b"no"):
    """An answer as bytes."""
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Length: {len(body)}", *headers, "", ""]
    return "\r\n".join(lines).encode() + body


@dataclass
class Told:
    """One request that came in."""

    headers: dict[str, str]
    body: bytes

    @property
    def event(self):
        return orjson.loads(self.body)


class Receiver:
    """Answers each request with the next of its answers, and with 200 when they are used up: bytes, or a function of
    the connection."""

    def __init__(self, *answers):
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.answers, self.told = list(answers), []
        self.network = Loopback(self.port)
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def url(self):
        return f"http://receiver.example:{self.port}/hook"

    @property
    def types(self):
        """The types of the events that came, in order."""
        return [told.event["type"] for told in self.told]

    def close(self):
        self.listening.close()

    def _serve(self):
        while True:
            try:
                connection, _ = self.listening.accept()
            except OSError:
                return
            threading.Thread(target=self._answer, args=[connection], daemon=True).start()

    def _answer(self, connection):
        with contextlib.suppress(OSError), connection:
            self.told.append(_read(connection))
            reply = self.answers.pop(0) if self.answers else OK
            if callable(reply):
                reply(connection)
            else:
                connection.sendall(reply)


def _read(connection):
    data = b""
    while b"\r\n\r\n" not in data:
        data += connection.recv(65536)
    head, _, body = data.partition(b"\r\n\r\n")
    lines = head.decode().split("\r\n")[1:]
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    while len(body) < int(headers.get("content-length", 0)):
        body += connection.recv(65536)
    return Told(headers, body)


def listen(tenant, receiver, *events, **fields):
    """An endpoint of `tenant` at the receiver, and its secret. The address is set past its check, which knows the
    internet only."""
    with acting_as(tenant):
        endpoint, secret = create_endpoint(url="https://receiver.example/hook", events=events, **fields)
        WebhookEndpoint.objects.filter(pk=endpoint.pk).update(url=receiver.url)
    return endpoint.pk, secret


def deliver(tenant, endpoint_id):
    """The worker's part, here and now; how many attempts were made."""
    return delivering.work(ref(tenant), endpoint_id)


def ref(tenant):
    return TenantRef(tenant.pk, tenant.schema_name)


def log_of(tenant, endpoint_id=None):
    """The deliveries of a tenant, oldest first."""
    with acting_as(tenant):
        rows = WebhookDelivery.objects.select_related("event").order_by("id")
        return list(rows.filter(endpoint_id=endpoint_id) if endpoint_id else rows)


class Clock:
    """Time that passes only when told to."""

    def __init__(self, monkeypatch):
        self.moment = timezone.now()
        monkeypatch.setattr(clock, "now", lambda: self.moment)

    def passes(self, **span):
        from datetime import timedelta

        self.moment += timedelta(**span)
