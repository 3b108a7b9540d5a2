"""Invitations: who may, the letter's link, once, for seven days, of one tenant."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from kernel.clock import now
from kernel.errors import Conflict
from tenants import inviting
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import Invitation, User
from tenants.permissions import Role
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.admin.rows import address
from tests.tenants.letters import delivered, link_in

FORM = {"email": "New@acme.example", "name": "New", "role": "member"}
JOIN = {"name": "Newly", "password": "a rather long one", "again": "a rather long one"}


@pytest.fixture
def invited(acme, sign_in, monkeypatch, settings, redis):  # noqa: F811 - the fixture
    """The owner's client and the link of an invitation of new@acme.example's."""
    client = sign_in(acme)
    with delivered(monkeypatch, settings) as outbox:
        assert client.post(address(Invitation, "add"), FORM).status_code == 302
    return client, link_in(outbox[-1])


def only(tenant):
    with acting_as(tenant):
        return Invitation.objects.get()


def test_the_letter_goes_to_the_invited_and_its_link_makes_one_person(acme, bolt, invited):
    _, link = invited
    (letter,) = mail.outbox
    assert letter.to == ["new@acme.example"]
    assert "Acme" in letter.subject
    client = Client()
    page = client.get(link).content.decode()
    assert "Join Acme" in page
    assert "new@acme.example" in page
    with acting_as(acme):
        assert not User.objects.filter(email="new@acme.example").exists()
    assert "You are on the team of Acme" in client.post(link, JOIN).content.decode()
    with acting_as(acme):
        person = User.objects.get(email="new@acme.example")
        assert (person.name, person.role) == ("Newly", "member")
    with acting_as(bolt):
        assert not User.objects.exists()
        assert not Invitation.objects.exists()
    signed_in = Client()
    signed_in.post("/admin/login/?next=/admin/", {"username": person.email, "password": JOIN["password"]})
    assert signed_in.get("/admin/").status_code == 200
    for response in (client.get(link), client.post(link, JOIN)):
        assert "This link was used" in response.content.decode()


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"password": "short", "again": "short"}, "too short"),
        ({"again": "another long one"}, "differ"),
        ({"name": ""}, "required"),
    ],
)
def test_what_is_refused_leaves_the_link_good(acme, invited, wrong, said):
    _, link = invited
    assert said in Client().post(link, JOIN | wrong).content.decode()
    assert "You are on the team" in Client().post(link, JOIN).content.decode()


def test_an_expired_a_cancelled_and_a_forged_link_open_nothing(acme, invited):
    owner, link = invited
    one = only(acme)
    with acting_as(acme):
        Invitation.objects.update(expires_at=now() - timedelta(seconds=1))
    for dead in (
        link,
        link[:-1] + ("a" if link[-1] != "a" else "b"),
        "/account/join/",
        "/account/join/?token=x",
    ):
        response = Client().post(dead, JOIN)
        assert response.status_code == 200
        assert "This link was used" in response.content.decode()
    with acting_as(acme):
        Invitation.objects.update(expires_at=now() + timedelta(days=1))
    owner.post(address(Invitation, "cancel", one.pk))
    assert "This link was used" in Client().post(link, JOIN).content.decode()
    with acting_as(acme):
        assert User.objects.count() == 1


def test_sent_again_the_older_link_is_dead(acme, invited, monkeypatch, settings):
    owner, old = invited
    with delivered(monkeypatch, settings) as outbox:
        owner.post(address(Invitation, "resend", only(acme).pk))
    new = link_in(outbox[-1])
    assert "This link was used" in Client().get(old).content.decode()
    assert "You are on the team" in Client().post(new, JOIN).content.decode()


def test_an_email_with_an_account_elsewhere_is_told_only_to_whoever_reads_its_mail(acme, bolt, invited):
    _, link = invited
    with acting_as(bolt):
        create_user("new@acme.example", PASSWORD)
    assert "has an account already" in Client().post(link, JOIN).content.decode()
    with acting_as(acme):
        assert User.objects.count() == 1
        assert Invitation.objects.open().count() == 1


def test_nobody_is_invited_twice_or_when_on_the_team(acme, invited):
    owner, _ = invited
    for email, said in (
        ("new@acme.example", "invited already"),
        ("owner@acme.example", "on the team already"),
    ):
        assert said in owner.post(address(Invitation, "add"), FORM | {"email": email}).content.decode()
    with acting_as(acme):
        Invitation.objects.update(expires_at=now() - timedelta(seconds=1))
    assert owner.post(address(Invitation, "add"), FORM).status_code == 302


def test_who_may(acme, bolt, invited, sign_in):  # noqa: F811 - the fixture
    admin, member, theirs = sign_in(acme, Role.ADMIN), sign_in(acme, Role.MEMBER), sign_in(bolt)
    one = only(acme)
    assert (
        "Only an owner"
        in admin.post(
            address(Invitation, "add"), FORM | {"email": "boss@acme.example", "role": "owner"}
        ).content.decode()
    )
    assert member.get(address(Invitation)).status_code == 403
    for page in ("resend", "cancel"):
        assert member.post(address(Invitation, page, one.pk)).status_code == 403
        assert theirs.post(address(Invitation, page, one.pk)).status_code == 404
        assert admin.get(address(Invitation, page, one.pk)).status_code == 405
    assert theirs.get(address(Invitation, "change", one.pk)).status_code == 404
    assert "new@acme.example" not in theirs.get(address(Invitation)).content.decode()
    assert only(acme).cancelled_at is None
    assert admin.post(address(Invitation, "cancel", one.pk)).status_code == 302
    assert only(acme).cancelled_at is not None


def test_without_mail_the_link_is_on_the_page_for_those_who_may_invite(acme, invited, settings):
    owner, _ = invited
    path = address(Invitation, "change", only(acme).pk)
    assert "/account/join/" not in owner.get(path).content.decode()
    settings.EMAIL_URL = ""
    assert "/account/join/?token=" in owner.get(path).content.decode()
    assert "open" in owner.get(address(Invitation)).content.decode()


def test_without_mail_nothing_is_sent_and_no_log_holds_a_link(acme, settings, caplog, redis):
    settings.EMAIL_URL = ""
    with acting_as(acme):
        by = create_user("owner@acme.example", PASSWORD, role=Role.OWNER)
        invitation = inviting.invite(by, "new@acme.example")
    assert inviting.write(acme, invitation.pk) is False
    assert mail.outbox == []
    assert "EMAIL_URL is unset" in caplog.text
    assert "token" not in caplog.text


def test_a_name_with_a_line_break_makes_no_header(acme, settings, redis):
    settings.EMAIL_URL = "smtp://mail.example"
    with acting_as(acme):
        acme.name = "Acme\nBcc: all@example.com"
        acme.save()
        by = create_user("owner@acme.example", PASSWORD, role=Role.OWNER)
        invitation = inviting.invite(by, "new@acme.example")
        with pytest.raises(Conflict):
            inviting.invite(by, "NEW@acme.example ")
    assert inviting.write(acme, invitation.pk)
    assert "\nBcc" not in mail.outbox[0].message().as_string().split("\n\n")[0]
