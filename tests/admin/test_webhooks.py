"""Webhooks in the admin: made, tried, sent again, and their secrets shown once."""

import re

import pytest

from tenants.context import acting_as
from tenants.models import WebhookDelivery, WebhookEndpoint
from tenants.permissions import Role
from tenants.webhooks import claiming
from tests.admin.rows import address

pytestmark = pytest.mark.django_db(transaction=True)

ADD = address(WebhookEndpoint, "add")
FORM = {"url": "https://acme.example/hook", "description": "Help desk", "events": [], "is_active": "on"}


def the(model, tenant):
    with acting_as(tenant):
        return model.objects.order_by("-id").first()


def made(client, tenant, **fields):
    page = client.post(ADD, {**FORM, **fields})
    assert page.status_code == 200, page.context and page.context.get("errors")
    return the(WebhookEndpoint, tenant), page


def test_the_secret_is_shown_once(acme, sign_in):
    client = sign_in(acme)
    endpoint, page = made(client, acme, events=["session.ended"])
    secret = re.search(r"whsec_[\w+/]+=*", page.content.decode()).group()
    assert "no-store" in page["Cache-Control"]
    assert (endpoint.events, endpoint.is_active) == (["session.ended"], True)
    shown = client.get(address(WebhookEndpoint, "change", endpoint.pk)).content.decode()
    assert secret not in shown
    assert "whsec_" not in shown
    rotated = client.post(
        f"{address(WebhookEndpoint)}{endpoint.pk}/rotate/", {"overlap": "1"}
    ).content.decode()
    assert "whsec_" in rotated
    assert secret not in rotated


def test_what_is_refused_is_said_at_its_field(acme, sign_in):
    client = sign_in(acme)
    page = client.post(ADD, {**FORM, "url": "http://127.0.0.1/"})
    assert "must lead to a public address" in page.content.decode()
    assert the(WebhookEndpoint, acme) is None


def test_trying_out_and_sending_again(acme, sign_in):
    client = sign_in(acme)
    endpoint, _ = made(client, acme)
    base = f"{address(WebhookEndpoint)}{endpoint.pk}/"
    page = client.post(f"{base}test/", follow=True)
    assert "webhook.test" in page.content.decode()
    assert "not tried yet" in page.content.decode()
    with acting_as(acme):
        claimed = claiming.claim(endpoint.pk)
        claiming.settle(
            claimed, claiming.Outcome(claiming.clock.now(), 12, 410, "<b>gone</b>", "It answered 410.")
        )
    delivery = the(WebhookDelivery, acme)
    shown = client.get(address(WebhookDelivery, "change", delivery.pk)).content.decode()
    assert "It answered 410. (12 ms)" in shown
    assert "<b>gone</b>" not in shown
    assert "turned off" in client.get(f"{base}change/").content.decode()
    refused = client.post(f"{address(WebhookDelivery)}{delivery.pk}/again/", follow=True).content.decode()
    assert "turn it on first" in refused
    client.post(f"{base}change/", FORM)
    assert the(WebhookEndpoint, acme).is_active
    told = client.post(f"{base}replay/", {"since": "24"}, follow=True).content.decode()
    assert "on its way again: 1" in told
    assert the(WebhookDelivery, acme).status == "pending"
    assert (
        "on its way again"
        in client.post(f"{address(WebhookDelivery)}{delivery.pk}/again/", follow=True).content.decode()
    )


def test_a_member_and_another_tenant_are_kept_out(acme, bolt, sign_in):
    owner = sign_in(acme)
    endpoint, _ = made(owner, acme)
    owner.post(f"{address(WebhookEndpoint)}{endpoint.pk}/test/")
    delivery = the(WebhookDelivery, acme)
    doors = [
        *(f"{address(WebhookEndpoint)}{endpoint.pk}/{deed}/" for deed in ("rotate", "test", "replay")),
        f"{address(WebhookDelivery)}{delivery.pk}/again/",
    ]
    for client, status in ((sign_in(acme, Role.MEMBER), 403), (sign_in(bolt), 404)):
        for door in doors:
            assert client.post(door).status_code == status, door
    for door in doors:
        assert owner.get(door).status_code == 405
    with acting_as(acme):
        assert WebhookDelivery.objects.count() == 1


def test_deleting_takes_the_log_with_it(acme, sign_in):
    client = sign_in(acme)
    endpoint, _ = made(client, acme)
    client.post(f"{address(WebhookEndpoint)}{endpoint.pk}/test/")
    client.post(address(WebhookEndpoint, "delete", endpoint.pk), {"post": "yes"})
    assert the(WebhookEndpoint, acme) is None
    assert the(WebhookDelivery, acme) is None
