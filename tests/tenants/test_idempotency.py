"""Idempotency-Key: one effect and one response, whoever sends it again, however many do at once."""

import threading
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test import Client
from django.urls import path
from rest_framework.parsers import MultiPartParser
from rest_framework.response import Response

from kernel.clock import now
from kernel.errors import Conflict
from tenants.context import acting_as
from tenants.models import ApiKey, IdempotencyRecord
from tenants.rest import idempotency
from tenants.rest.rendering import OrjsonParser
from tenants.rest.views import TenantView
from tests import cast

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.urls("tests.tenants.test_idempotency")]

calls: list[object] = []
gate = threading.Event()


class Makes(TenantView):
    """A row per call."""

    area = "account"

    def post(self, request):
        name = request.data["name"]
        tenant = self.principal.tenant.id
        ApiKey.objects.create(
            tenant_id=tenant, name=name, prefix="p", key_hash=uuid.uuid4().hex, scopes=["read"]
        )
        if name == "fails":
            raise Conflict("no")
        return Response(
            {"made": ApiKey.objects.filter(name=name).count(), "nonce": uuid.uuid4().hex}, status=201
        )


class Asks(TenantView):
    """A view that calls a provider: no transaction around it."""

    area = "account"
    atomic = False
    parser_classes = (OrjsonParser, MultiPartParser)

    def post(self, request):
        calls.append(request.data)
        gate.wait(5)
        if request.data.get("name") == "fails":
            raise Conflict("no")
        return Response({"nonce": uuid.uuid4().hex})


urlpatterns = [path("api/makes/", Makes.as_view()), path("api/asks/", Asks.as_view())]


@pytest.fixture(autouse=True)
def fresh():
    calls.clear()
    gate.set()


def sender(tenant):
    secret = cast.api_key(tenant)

    def send(address, body, key="one", **more):
        headers = {"Authorization": f"Bearer {secret}"} | ({"Idempotency-Key": key} if key else {})
        if "content_type" not in more:
            more["content_type"] = "application/json"
        elif more["content_type"] is None:
            del more["content_type"]
        return Client(headers=headers).post(f"/api/{address}/", body, **more)

    return send


def rows(tenant, name):
    with acting_as(tenant):
        return ApiKey.objects.filter(name=name).count()


@pytest.mark.parametrize("address", ["makes", "asks"])
def test_sent_again_it_has_one_effect_and_one_response(acme, bolt, address):
    send, theirs = sender(acme), sender(bolt)
    first, again = send(address, {"name": "a"}), send(address, {"name": "a"})
    assert first.status_code == again.status_code
    assert first.content == again.content
    assert again["Content-Type"] == first["Content-Type"]
    assert again["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first
    assert rows(acme, "a") <= 1
    assert len(calls) <= 1
    assert theirs(address, {"name": "a"}).json() != first.json()
    assert send(address, {"name": "a"}, key="two").json() != first.json()
    assert send(address, {"name": "a"}, key=None).json() != first.json()


def test_another_caller_of_the_tenant_gets_an_answer_of_its_own(acme):
    first, second = sender(acme)("makes", {"name": "a"}), sender(acme)("makes", {"name": "a"})
    assert second.status_code == 201
    assert first.json()["nonce"] != second.json()["nonce"]


@pytest.mark.parametrize("address", ["makes", "asks"])
def test_another_body_under_the_key_is_422(acme, address):
    send = sender(acme)
    send(address, {"name": "a", "x": 1})
    refused = send(address, {"name": "b", "x": 1})
    assert (refused.status_code, refused.json()["code"]) == (422, "idempotency_key_reused")
    assert send(address, {"x": 1, "name": "a"})["Idempotent-Replayed"] == "true"
    assert rows(acme, "b") == 0


@pytest.mark.parametrize("address", ["makes", "asks"])
def test_an_error_is_not_kept_and_leaves_nothing(acme, address):
    send = sender(acme)
    assert [send(address, {"name": "fails"}).status_code for _ in range(2)] == [409, 409]
    assert rows(acme, "fails") == 0
    with acting_as(acme):
        assert not IdempotencyRecord.objects.exists()


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "schlüssel", "a\tb"])
def test_a_key_that_is_no_plain_text_is_refused_by_name(acme, key):
    refused = sender(acme)("makes", {"name": "a"}, key=key or " ")
    assert refused.status_code == 400
    assert refused.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("address", ["makes", "asks"])
def test_32_clients_at_once_have_one_effect_and_one_response(acme, bolt, address, settings):
    send = sender(acme)
    together = threading.Barrier(32)

    def one(_):
        together.wait()
        try:
            return send(address, {"name": "race"})
        finally:
            connection.close()

    with ThreadPoolExecutor(32) as clients:
        responses = list(clients.map(one, range(32)))
    assert {response.status_code for response in responses} == {201 if address == "makes" else 200}
    assert len({response.content for response in responses}) == 1
    assert sum("Idempotent-Replayed" not in response for response in responses) == 1
    if address == "makes":
        assert rows(acme, "race") == 1
    else:
        assert len(calls) == 1


def test_whoever_died_in_the_middle_is_followed_after_the_lease(acme, monkeypatch):
    monkeypatch.setattr(idempotency, "WAIT_S", 0.2)
    send = sender(acme)
    send("asks", {"name": "a"})
    with acting_as(acme):
        IdempotencyRecord.objects.update(status=None, body=b"")
    waiting = send("asks", {"name": "a"})
    assert (waiting.status_code, waiting.json()["code"]) == (409, "idempotency_in_progress")
    assert waiting["Retry-After"] == "5"
    with acting_as(acme):
        IdempotencyRecord.objects.update(lease_until=now() - timedelta(seconds=1))
    assert send("asks", {"name": "a"}).status_code == 200
    assert len(calls) == 2


def test_after_a_day_the_key_is_free_and_forgotten(acme, bolt):
    send = sender(acme)
    first = send("makes", {"name": "a"})
    sender(bolt)("makes", {"name": "a"})
    with acting_as(acme):
        IdempotencyRecord.objects.update(expires_at=now() - timedelta(seconds=1))
    assert send("makes", {"name": "other"}).status_code == 201
    with acting_as(acme):
        IdempotencyRecord.objects.update(expires_at=now() - timedelta(seconds=1))
        assert idempotency.forget_expired() == 1
    with acting_as(bolt):
        assert IdempotencyRecord.objects.count() == 1
    assert first.status_code == 201


def test_a_file_counts_by_its_bytes(acme):
    send = sender(acme)

    def upload(content):
        file = SimpleUploadedFile("a.txt", content)
        return send("asks", {"file": file, "name": "a"}, content_type=None)

    assert upload(b"one").status_code == 200
    again = upload(b"one")
    assert again.headers.get("Idempotent-Replayed") == "true", again.content
    assert upload(b"two").status_code == 422
