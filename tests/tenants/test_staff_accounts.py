"""The platform's own people, who have no tenant: a forgotten password and a second factor work for them as for others,
and no tenant sees a row of theirs."""

import re

import pyotp
import pytest
from django.contrib.auth.hashers import make_password
from django.core import mail
from django.core.management import CommandError, call_command
from django.test import Client

from kernel.errors import Conflict, NotAllowed
from tenants import changing_email, links, second_factor
from tenants.context import TenantContextError, TenantRef, acting_as, at_home
from tenants.creating import create_user
from tenants.models import (
    RecoveryCode,
    SecondFactor,
    SecurityKey,
    StaffRecoveryCode,
    StaffSecondFactor,
    User,
)
from tenants.permissions import Role
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.tenants.authenticator import SoftKey
from tests.tenants.letters import delivered, link_in

EMAIL = "staff@platform.example"
PAGE, CODE = "/admin/your/second-factor/", "/admin/login/code/"
NEW = {"password": "a rather long one", "again": "a rather long one"}


@pytest.fixture
def staff(acme, bolt, sign_in, redis):  # noqa: F811 - the fixture
    """Somebody of the platform; acme and bolt have people too."""
    sign_in(acme)
    sign_in(bolt)
    return User.objects.create(email=EMAIL, password=make_password(PASSWORD), name="Grace", role=Role.OWNER)


def enter(password=PASSWORD):
    client = Client(SERVER_NAME="localhost")
    client.response = client.post("/admin/login/?next=/admin/", {"username": EMAIL, "password": password})
    return client


def is_in(client):
    return client.get("/admin/staff/choose/").status_code == 200


class TestForgottenPassword:
    @pytest.fixture
    def link(self, staff, monkeypatch, settings):
        with delivered(monkeypatch, settings):
            Client().post("/account/forgotten/", {"email": EMAIL})
        (letter,) = mail.outbox
        assert letter.to == [EMAIL]
        return link_in(letter)

    def test_it_is_set_once_and_ends_every_session(self, staff, link):
        client = enter()
        assert is_in(client)
        assert Client().get(link).status_code == 200
        assert "too short" in Client().post(link, {"password": "x", "again": "x"}).content.decode()
        assert "It is set" in Client().post(link, NEW).content.decode()
        assert not is_in(client)
        assert is_in(enter(NEW["password"]))
        assert not is_in(enter())
        assert "This link was used" in Client().post(link, NEW).content.decode()

    def test_a_deactivated_persons_link_opens_nothing(self, staff, link):
        User.objects.filter(pk=staff.pk).update(is_active=False)
        assert "This link was used" in Client().post(link, NEW).content.decode()

    def test_the_token_opens_no_tenants_page(self, acme, staff, link):
        token = link.partition("token=")[2]
        for page in ("join", "email", "signup"):
            assert "It is set" not in Client().post(f"/account/{page}/?token={token}", NEW).content.decode()
        with acting_as(acme):
            assert User.objects.count() == 1


class TestSecondFactor:
    @pytest.fixture
    def app(self, staff):
        """The client, the app and the recovery codes, all by the pages."""
        client = enter()
        assert client.post(PAGE, {"step": "begin", "password": PASSWORD}).status_code == 302
        secret = re.search(r"secret: <code>(\w+)", client.get(PAGE).content.decode()).group(1)
        app = pyotp.TOTP(secret)
        codes = client.post(PAGE, {"step": "confirm", "code": app.now()}).context["codes"]
        assert len(codes) == 10
        StaffSecondFactor.objects.update(last_step=0)
        return client, app, codes

    def test_password_alone_signs_nobody_in_and_a_code_opens_once(self, app):
        _, totp, codes = app
        client = enter()
        assert client.response["Location"] == CODE
        assert not is_in(client)
        code = totp.now()
        assert client.post(CODE, {"code": code}).status_code == 302
        assert is_in(client)
        again = enter()
        for wrong in (code, "000000"):
            assert "was used before" in again.post(CODE, {"code": wrong}).content.decode()
        assert again.post(CODE, {"code": codes[0]}).status_code == 302
        assert is_in(again)
        assert "was used before" in enter().post(CODE, {"code": codes[0]}).content.decode()

    def test_guessing_has_to_wait(self, app):
        for _ in range(5):
            enter().post(CODE, {"code": "000000"})
        assert "Too many attempts" in enter().post(CODE, {"code": app[1].now()}).content.decode()

    def test_a_key_signs_in_and_is_removed(self, app):
        client, _, _ = app
        key = SoftKey()
        client.post(PAGE, {"step": "name_key", "name": "Blue", "password": PASSWORD})
        answer = key.create(client.get(PAGE).context["key_options"])
        assert client.post(PAGE, {"step": "add_key", "answer": answer}).status_code == 302
        other = enter()
        assert (
            other.post(CODE, {"answer": key.get(other.get(CODE).context["key_options"])}).status_code == 302
        )
        assert is_in(other)
        row = SecurityKey.objects.get()
        assert row.tenant_id is None
        client.post(PAGE, {"step": "remove_key", "key": str(row.pk), "password": PASSWORD})
        client.post(PAGE, {"step": "off", "password": PASSWORD})
        assert not StaffRecoveryCode.objects.exists()
        assert is_in(enter())

    def test_no_tenant_sees_any_of_it(self, acme, bolt, app):
        assert StaffSecondFactor.objects.count() == 1
        assert StaffRecoveryCode.objects.count() == 10
        for tenant in (acme, bolt):
            with acting_as(tenant):
                for model in (StaffSecondFactor, StaffRecoveryCode, SecondFactor, RecoveryCode, SecurityKey):
                    assert not model.objects.exists(), model

    def test_there_is_no_company_to_require_it_of(self, app):
        client, _, _ = app
        assert "For everybody" not in client.get(PAGE).content.decode()
        page = client.post(PAGE, {"step": "require", "required": "1"}, follow=True)
        assert "Only an owner decides this" in page.content.decode()
        with pytest.raises(NotAllowed):
            second_factor.require(User.objects.get(email=EMAIL), True)


def test_the_command_makes_one_who_signs_in_and_keeps_an_email_that_is_taken(staff, monkeypatch, capsys):
    monkeypatch.setenv("FRONTDESK_PASSWORD", PASSWORD)
    call_command("create_staff", "Ada@platform.example", "--name", "Ada")
    assert User.objects.get(email="ada@platform.example").name == "Ada"
    client = Client()
    client.post("/admin/login/?next=/admin/", {"username": "ada@platform.example", "password": PASSWORD})
    page = client.get("/admin/", follow=True)
    assert "Ada" in page.content.decode()
    assert "/admin/your/email/" not in page.content.decode()
    for taken in ("ada@platform.example", "owner@acme.example"):
        with pytest.raises(CommandError, match="already in use"):
            call_command("create_staff", taken)
    monkeypatch.setenv("FRONTDESK_PASSWORD", "short")
    with pytest.raises(CommandError, match="too short"):
        call_command("create_staff", "eve@platform.example")
    with pytest.raises(CommandError, match="valid email"):
        call_command("create_staff", "eve")


def test_a_tenants_person_cannot_have_their_email(acme, staff):
    with acting_as(acme):
        with pytest.raises(Conflict):
            create_user(EMAIL, PASSWORD)
        owner = User.objects.get()
        token = links.issue(
            changing_email.PURPOSE, acme_ref(acme), user=owner.pk.hex, email=EMAIL, proof=owner.email
        )
    assert "already in use" in Client().post(f"/account/email/?token={token}").content.decode()
    with acting_as(acme):
        assert User.objects.get().email == "owner@acme.example"


def acme_ref(acme):
    return TenantRef(acme.pk, acme.schema_name)


def test_a_password_is_changed_on_the_page(staff):
    client, other = enter(), enter()
    changed = {
        "old_password": PASSWORD,
        "new_password1": NEW["password"],
        "new_password2": NEW["password"],
    }
    assert client.post("/admin/password_change/", changed).status_code == 302
    assert is_in(client)
    assert not is_in(other)
    assert is_in(enter(NEW["password"]))


def test_at_home_is_never_inside_a_tenant(acme, staff):
    with at_home(None) as nobody:
        assert nobody is None
        assert User.objects.get().email == EMAIL
    with acting_as(acme), pytest.raises(TenantContextError), at_home(None):
        raise AssertionError("entered")
