"""Another email: proved by the password and at the new address, told to the old one."""

import pytest
from django.core import mail
from django.test import Client

from tenants.context import acting_as
from tenants.creating import create_user
from tenants.directory import resolve_tenant
from tenants.models import KeyKind, User
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.tenants.letters import delivered, link_in

PAGE, OLD, NEW = "/admin/your/email/", "owner@acme.example", "new@acme.example"


@pytest.fixture
def asked(acme, sign_in, monkeypatch, settings, redis):  # noqa: F811 - the fixture
    """The owner's client and the link that was sent to the new address."""
    client = sign_in(acme)
    with delivered(monkeypatch, settings) as outbox:
        assert client.post(PAGE, {"email": "New@acme.example", "password": PASSWORD}).status_code == 302
    (letter,) = outbox
    assert letter.to == [NEW]
    return client, link_in(letter)


def confirm(link, monkeypatch, settings):
    with delivered(monkeypatch, settings):
        return Client().post(link).content.decode()


def test_it_changes_once_its_link_is_confirmed(acme, asked, monkeypatch, settings):
    client, link = asked
    assert f"Sign in as {NEW}" in Client().get(link).content.decode()
    with acting_as(acme):
        assert User.objects.get().email == OLD
    assert f"Sign in as {NEW}" in confirm(link, monkeypatch, settings)
    with acting_as(acme):
        assert User.objects.get().email == NEW
    assert client.get("/admin/").status_code == 302
    assert mail.outbox[-1].to == [OLD]
    assert NEW in mail.outbox[-1].body
    assert resolve_tenant(KeyKind.EMAIL, OLD) is None
    again = Client()
    again.post("/admin/login/?next=/admin/", {"username": NEW, "password": PASSWORD})
    assert again.get("/admin/").status_code == 200
    assert "This link was used" in confirm(link, monkeypatch, settings)


def test_an_email_of_anothers_is_refused_only_at_the_end(acme, bolt, asked, monkeypatch, settings):
    client, link = asked
    with acting_as(bolt):
        create_user(NEW, PASSWORD)
    assert "already in use" in confirm(link, monkeypatch, settings)
    with acting_as(acme):
        assert User.objects.get().email == OLD
    assert client.get("/admin/").status_code == 200


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"email": NEW, "password": "wrong"}, "is not your password"),
        ({"email": OLD, "password": PASSWORD}, "another email"),
        ({"email": "nonsense", "password": PASSWORD}, "valid email"),
    ],
)
def test_what_is_refused_sends_nothing(acme, sign_in, monkeypatch, settings, redis, form, said):  # noqa: F811 - the fixture
    client = sign_in(acme)
    with delivered(monkeypatch, settings):
        assert said in client.post(PAGE, form).content.decode()
    assert mail.outbox == []


def test_passwords_are_not_guessed_here_either(acme, sign_in, redis):  # noqa: F811 - the fixture
    client = sign_in(acme)
    told = [client.post(PAGE, {"email": NEW, "password": f"wrong {n}"}).content.decode() for n in range(6)]
    assert "Too many attempts" in told[-1]
