"""webhook-endpoints/ as a program uses it."""

import pytest

from tenants.context import acting_as
from tenants.models import User
from tenants.webhooks.models import WebhookDelivery, WebhookEndpoint
from tests.tenants.callers import caller, code_of, every, wrong_fields
from tests.tenants.webhooks.receiver import answer, deliver, listen, log_of
from tests.tenants.webhooks.test_delivering import happen

pytestmark = pytest.mark.django_db(transaction=True)

URL = "https://acme.example/hook"


@pytest.fixture
def call(client, acme, redis):
    return caller(client, acme)


@pytest.fixture
def theirs(bolt, receivers):
    """An endpoint of bolt's with a delivery."""
    endpoint, _ = listen(bolt, receivers())
    happen(bolt)
    return endpoint


def test_an_endpoint_from_its_making_to_its_end(call, acme, theirs):
    response = call("POST", "webhook-endpoints/", {"url": URL, "events": ["session.ended"]})
    assert response.status_code == 201
    assert response["Cache-Control"] == "no-store"
    made = response.json()
    secret = made.pop("secret")
    assert secret.startswith("whsec_")
    assert made["is_active"] is True
    assert (made["disabled_reason"], made["failing_since"]) == ("", None)
    with acting_as(acme):
        row = WebhookEndpoint.objects.get()
        assert secret.encode() not in bytes(row.secret)
    address = f"webhook-endpoints/{made['id']}/"
    assert call("GET", address).json() == made
    assert every(call, "webhook-endpoints/") == [made]
    changed = call("PATCH", address, {**made, "url": "https://acme.example/other", "is_active": False}).json()
    assert (changed["url"], changed["is_active"]) == ("https://acme.example/other", False)
    rotated = call("POST", f"{address}rotate", {"overlap_s": 60}).json()
    assert rotated["secret"] != secret
    assert rotated["previous_secret_until"] is not None
    assert call("POST", f"{address}rotate", {"overlap_s": 0}).json()["previous_secret_until"] is None
    assert call("DELETE", address).status_code == 204
    assert code_of(call("GET", address), 404) == "not_found"
    assert every(call, "webhook-endpoints/") == []


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({}, {"url"}),
        ({"url": "ftp://acme.example/"}, {"url"}),
        ({"url": "http://127.0.0.1/"}, {"url"}),
        ({"url": "http://169.254.169.254/latest/meta-data"}, {"url"}),
        ({"url": "https://acme.example:22/"}, {"url"}),
        ({"url": "https://me:secret@acme.example/"}, {"url"}),
        ({"url": 5}, {"url"}),
        ({"url": URL, "events": ["session.ended", "session.begun"]}, {"events.1"}),
        ({"url": URL, "events": "session.ended"}, {"events"}),
        ({"url": URL, "description": "x" * 201}, {"description"}),
        ({"url": URL, "is_active": 1}, {"is_active"}),
        ({"url": URL, "secret": "whsec_mine"}, {"secret"}),
    ],
)
def test_what_is_refused(call, fields, wrong):
    assert wrong_fields(call("POST", "webhook-endpoints/", fields)) == wrong


def test_there_are_twenty_at_most(call, theirs):
    for _ in range(20):
        assert call("POST", "webhook-endpoints/", {"url": URL}).status_code == 201
    assert code_of(call("POST", "webhook-endpoints/", {"url": URL}), 400) == "invalid"


def test_the_log_and_its_filters(call, acme, theirs, receivers):
    receiver = receivers(answer(500, body=b"broken"))
    endpoint, _ = listen(acme, receiver)
    happen(acme, 3)
    deliver(acme, endpoint)
    address = f"webhook-endpoints/{endpoint}/deliveries/"
    listed = every(call, address)
    assert [one["status"] for one in listed] == ["delivered", "delivered", "pending"]
    failed = listed[-1]
    assert (failed["response_status"], failed["response_body"], failed["tries"]) == (500, "broken", 1)
    assert every(call, f"{address}?status=pending") == [failed]
    assert len(every(call, f"{address}?type=webhook.test")) == 3
    assert every(call, f"{address}?type=session.ended") == []
    assert every(call, f"{address}?created_before=2020-01-01T00:00:00Z") == []
    assert wrong_fields(call("GET", f"{address}?status=lost")) == {"status"}
    whole = call("GET", f"{address}{failed['id']}/").json()
    assert whole["payload"]["data"] == {"number": 0}
    assert [(one["status"], one["body"]) for one in whole["attempts"]] == [(500, "broken")]
    assert {name: whole[name] for name in failed} == failed


def test_replay_and_test(call, acme, theirs, receivers):
    receiver = receivers(answer(500))
    endpoint, _ = listen(acme, receiver)
    happen(acme)
    deliver(acme, endpoint)
    (row,) = log_of(acme)
    address = f"webhook-endpoints/{endpoint}/"
    assert call("POST", f"{address}replay", {"delivery": str(row.pk)}).json() == {"replayed": 1}
    assert deliver(acme, endpoint) == 1
    since = {"since": "2026-01-01T00:00:00Z"}
    assert call("POST", f"{address}replay", since).json() == {"replayed": 0}
    again = call("POST", f"{address}replay", {**since, "delivered_too": True})
    assert (again.status_code, again.json()) == (202, {"replayed": 1})
    assert wrong_fields(call("POST", f"{address}replay", {})) == {"delivery"}
    assert wrong_fields(call("POST", f"{address}replay", {**since, "delivery": str(row.pk)})) == {"delivery"}
    tried = call("POST", f"{address}test")
    assert (tried.status_code, tried.json()["event"]["type"]) == (202, "webhook.test")
    call("PATCH", address, {"is_active": False})
    assert code_of(call("POST", f"{address}test"), 409) == "endpoint_disabled"
    assert code_of(call("POST", f"{address}replay", since), 409) == "endpoint_disabled"


def test_another_tenants_endpoint_is_not_there(call, acme, bolt, theirs, receivers):
    mine, _ = listen(acme, receivers())
    (row,) = log_of(bolt)
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"is_active": False}),
        ("DELETE", "", None),
        ("POST", "rotate", {}),
        ("GET", "deliveries/", None),
        ("GET", f"deliveries/{row.pk}/", None),
        ("POST", "replay", {"delivery": str(row.pk)}),
        ("POST", "replay", {"since": "2026-01-01T00:00:00Z", "delivered_too": True}),
        ("POST", "test", None),
    ):
        response = call(method, f"webhook-endpoints/{theirs}/{path}", body)
        assert code_of(response, 404) == "not_found", (method, path)
    # One's own endpoint is no way to another's delivery.
    assert code_of(call("GET", f"webhook-endpoints/{mine}/deliveries/{row.pk}/"), 404) == "not_found"
    replayed = call("POST", f"webhook-endpoints/{mine}/replay", {"delivery": str(row.pk)})
    assert code_of(replayed, 404) == "not_found"
    with acting_as(bolt):
        assert WebhookEndpoint.objects.get().is_active
        assert WebhookDelivery.objects.get().tries == 0


def test_who_may(client, acme, redis):
    refused = caller(client, acme, "conversations:write", "account:read")
    assert code_of(refused("POST", "webhook-endpoints/", {"url": URL}), 403) == "missing_scope"
    assert refused("GET", "webhook-endpoints/").status_code == 200
    nobody = caller(client, acme, "conversations:write", "knowledge:read")
    assert code_of(nobody("GET", "webhook-endpoints/"), 403) == "missing_scope"
    assert not User(tenant=acme, role="member").has_perm("tenants.view_webhookendpoint")
    assert User(tenant=acme, role="admin").has_perm("tenants.change_webhookendpoint")
    assert not User(tenant=acme, role="owner").has_perm("tenants.change_webhookdelivery")
