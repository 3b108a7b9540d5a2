"""A forgotten password: once, for an hour, telling nobody which emails exist."""

from datetime import timedelta

import pytest
from django.core import mail
from django.test import Client

from tenants import resetting_password
from tenants.context import acting_as
from tenants.models import User
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.tenants.letters import delivered, link_in

NEW = {"password": "a rather long one", "again": "a rather long one"}
EMAIL = "owner@acme.example"


@pytest.fixture
def ask(monkeypatch, settings, redis):
    """ask(email) → the answer's page."""

    def asked(email, ip="127.0.0.1"):
        with delivered(monkeypatch, settings):
            return Client(REMOTE_ADDR=ip).post("/account/forgotten/", {"email": email}).content.decode()

    return asked


def signs_in(email, password):
    client = Client()
    client.post("/admin/login/?next=/admin/", {"username": email, "password": password})
    return client.get("/admin/").status_code == 200


def test_a_new_password_and_every_session_ended(acme, bolt, sign_in, ask):  # noqa: F811 - the fixture
    client, theirs = sign_in(acme), sign_in(bolt)
    ask(EMAIL.upper())
    (letter,) = mail.outbox
    link = link_in(letter)
    assert letter.to == [EMAIL]
    assert Client().get(link).status_code == 200
    assert client.get("/admin/").status_code == 200
    assert "It is set" in Client().post(link, NEW).content.decode()
    assert client.get("/admin/").status_code == 302
    assert theirs.get("/admin/").status_code == 200
    assert signs_in(EMAIL, NEW["password"])
    assert not signs_in(EMAIL, PASSWORD)
    for response in (Client().get(link), Client().post(link, NEW)):
        assert "This link was used" in response.content.decode()


def test_the_answer_is_the_same_whether_the_email_has_an_account(acme, sign_in, ask):  # noqa: F811 - the fixture
    import re

    sign_in(acme)
    plain = [re.sub(r'value="\w{64}"', "", ask(email)) for email in (EMAIL, "nobody@acme.example")]
    assert plain[0] == plain[1]
    assert [letter.to for letter in mail.outbox] == [[EMAIL]]


def test_a_deactivated_person_gets_no_letter_and_opens_no_link(acme, sign_in, ask):  # noqa: F811 - the fixture
    sign_in(acme)
    ask(EMAIL)
    with acting_as(acme):
        User.objects.update(is_active=False)
    assert "This link was used" in Client().post(link_in(mail.outbox[0]), NEW).content.decode()
    ask(EMAIL)
    assert len(mail.outbox) == 1


def test_a_link_is_good_for_an_hour_and_for_one_change(acme, sign_in, ask, monkeypatch):  # noqa: F811 - the fixture
    sign_in(acme)
    ask(EMAIL)
    ask(EMAIL)
    first, second = map(link_in, mail.outbox)
    assert "It is set" in Client().post(second, NEW).content.decode()
    assert "This link was used" in Client().post(first, NEW).content.decode()
    ask(EMAIL)
    monkeypatch.setattr(resetting_password, "LIFETIME", timedelta(seconds=-1))
    assert "This link was used" in Client().post(link_in(mail.outbox[-1]), NEW).content.decode()


def test_a_weak_password_is_refused_and_the_link_stays_good(acme, sign_in, ask):  # noqa: F811 - the fixture
    sign_in(acme)
    ask(EMAIL)
    link = link_in(mail.outbox[0])
    assert "too short" in Client().post(link, {"password": "x", "again": "x"}).content.decode()
    assert "It is set" in Client().post(link, NEW).content.decode()


def test_whoever_asks_too_often_is_told_the_same_and_no_letter_goes(acme, sign_in, ask):  # noqa: F811 - the fixture
    sign_in(acme)
    told = {ask(EMAIL, ip=f"203.0.113.{n}").count("Look into your mail") > 0 for n in range(6)}
    assert told == {True}
    assert len(mail.outbox) == 3


def test_a_new_password_ends_the_waits(acme, sign_in, ask):  # noqa: F811 - the fixture
    sign_in(acme)
    for _ in range(6):
        Client().post("/admin/login/", {"username": EMAIL, "password": "wrong"})
    assert not signs_in(EMAIL, PASSWORD)
    ask(EMAIL)
    Client().post(link_in(mail.outbox[0]), NEW)
    assert signs_in(EMAIL, NEW["password"])


def test_another_links_token_sets_no_password(acme, sign_in, ask):  # noqa: F811 - the fixture
    sign_in(acme)
    ask(EMAIL)
    token = link_in(mail.outbox[0]).partition("token=")[2]
    for page in ("join", "email"):
        assert "This link was used" in Client().get(f"/account/{page}/?token={token}").content.decode()


def test_without_mail_the_page_says_so(acme, settings):
    settings.EMAIL_URL = ""
    assert "sends no mail" in Client().get("/account/forgotten/").content.decode()
    assert "/account/forgotten/" in Client().get("/admin/login/").content.decode()


def test_the_page_may_do_what_its_theme_needs_and_is_in_no_frame(db):
    page = Client().get("/account/forgotten/")
    assert "frame-ancestors 'none'" in page["Content-Security-Policy"]
    assert page["Content-Security-Policy"] == Client().get("/admin/login/")["Content-Security-Policy"]
    assert "no-store" in page["Cache-Control"]
