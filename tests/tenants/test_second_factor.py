"""The second step of signing in: before the session is a full one, once per code, with ways out and none round it."""

import re
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from django.db import connection
from django.test import Client

from kernel.encryption import decrypt
from tenants import second_factor
from tenants.context import acting_as
from tenants.models import AuthSession, RecoveryCode, SecondFactor, User
from tenants.permissions import Role
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.admin.rows import address

PAGE, CODE = "/admin/your/second-factor/", "/admin/login/code/"
EMAIL = "owner@acme.example"


@pytest.fixture
def protected(acme, bolt, sign_in, redis):  # noqa: F811 - the fixture
    """The owner's client, the app, and the recovery codes, all by the pages."""
    client = sign_in(acme)
    sign_in(bolt)
    assert client.post(PAGE, {"step": "begin", "password": PASSWORD}).status_code == 302
    html = client.get(PAGE).content.decode()
    assert "<svg" in html
    app = pyotp.TOTP(re.search(r"secret: <code>(\w+)", html).group(1))
    page = client.post(PAGE, {"step": "confirm", "code": app.now()})
    codes = page.context["codes"]
    assert len(codes) == 10
    forget_steps(acme)
    return client, app, codes


def forget_steps(tenant):
    """As if the last code had been used long ago: tests do not wait for the next half minute."""
    with acting_as(tenant):
        SecondFactor.objects.update(last_step=0)


def first_step(email=EMAIL, after="/admin/"):
    client = Client()
    response = client.post(
        f"/admin/login/?next={after}", {"username": email, "password": PASSWORD, "next": after}
    )
    assert response["Location"] == CODE
    return client


def test_password_alone_signs_nobody_in(acme, protected):
    client = first_step()
    assert client.get("/admin/").status_code == 302
    assert client.get("/api/v1/widgets/").status_code == 401
    assert client.get(PAGE).status_code == 302
    with acting_as(acme):
        assert AuthSession.objects.filter(user__isnull=False).count() == 1


def test_whoever_is_signed_in_is_not_signed_out_by_a_link_to_the_second_step(protected):
    client, _, _ = protected
    assert client.get(CODE)["Location"] == "/admin/"
    assert client.get("/admin/").status_code == 200
    assert Client().get(CODE)["Location"] == "/admin/login/"


def test_the_apps_code_does_and_leads_where_one_wanted(acme, protected):
    _, app, _ = protected
    client = first_step(after="/admin/tenants/user/")
    before = client.session.session_key
    response = client.post(CODE, {"code": app.now()})
    assert response["Location"] == "/admin/tenants/user/"
    assert client.session.session_key != before
    assert client.get("/admin/").status_code == 200
    away = first_step(after="https://evil.example/")
    forget_steps(acme)
    assert away.post(CODE, {"code": app.now()})["Location"] == "/admin/"


def test_a_code_opens_once(acme, protected):
    _, app, _ = protected
    code = app.now()
    assert first_step().post(CODE, {"code": code}).status_code == 302
    assert "used before" in first_step().post(CODE, {"code": code}).content.decode()


@pytest.mark.parametrize(
    "code", ["000000", "", "abcdef", "\uff11\uff12\uff13\uff14\uff15\uff16", "1" * 40, "\0"]
)
def test_a_wrong_code_is_told_so(acme, protected, code):
    client = first_step()
    response = client.post(CODE, {"code": code})
    assert response.status_code == 200
    assert response.context["form"].errors
    assert client.get("/admin/").status_code == 302


def test_guessing_codes_has_to_wait_even_for_the_right_one(acme, protected):
    _, app, _ = protected
    for _ in range(5):
        first_step().post(CODE, {"code": "000000"})
    assert "Too many attempts" in first_step().post(CODE, {"code": app.now()}).content.decode()


def test_a_recovery_code_opens_once(acme, protected):
    client, _, codes = protected
    assert first_step().post(CODE, {"code": codes[0].upper()}).status_code == 302
    assert "used before" in first_step().post(CODE, {"code": codes[0]}).content.decode()
    assert "9 recovery codes" in client.get(PAGE).content.decode()


def test_secrets_and_codes_do_not_stand_in_the_database(acme, protected):
    _, app, codes = protected
    with acting_as(acme):
        factor = SecondFactor.objects.get()
        assert decrypt(factor.secret) == app.secret
        assert app.secret.encode() not in bytes(factor.secret)
        assert not set(codes) & set(RecoveryCode.objects.values_list("code_hash", flat=True))


def test_the_other_tenant_has_none_and_signs_in_as_before(bolt, protected):
    with acting_as(bolt):
        assert not SecondFactor.objects.exists()
        assert not RecoveryCode.objects.exists()
    client = Client()
    client.post("/admin/login/?next=/admin/", {"username": "owner@bolt.example", "password": PASSWORD})
    assert client.get("/admin/").status_code == 200


def test_new_codes_and_turning_off_want_the_password(acme, protected):
    client, _, codes = protected
    for step in ("renew", "off"):
        assert "is not your password" in client.post(PAGE, {"step": step, "password": "x"}).content.decode()
    renewed = client.post(PAGE, {"step": "renew", "password": PASSWORD}).context["codes"]
    assert not set(renewed) & set(codes)
    assert "used before" in first_step().post(CODE, {"code": codes[1]}).content.decode()
    assert client.post(PAGE, {"step": "off", "password": PASSWORD}).status_code == 302
    with acting_as(acme):
        assert not second_factor.is_on(User.objects.get(email=EMAIL))
        assert not RecoveryCode.objects.exists()


def test_a_wrong_first_code_turns_nothing_on(acme, sign_in, redis):  # noqa: F811 - the fixture
    client = sign_in(acme)
    client.post(PAGE, {"step": "begin", "password": PASSWORD})
    assert "clock" in client.post(PAGE, {"step": "confirm", "code": "000000"}).content.decode()
    with acting_as(acme):
        assert not second_factor.is_on(User.objects.get())


class TestRequired:
    def test_whoever_has_none_sees_one_page_and_no_api(self, acme, bolt, sign_in, redis):  # noqa: F811 - the fixture
        owner, member, theirs = sign_in(acme), sign_in(acme, Role.MEMBER), sign_in(bolt)
        assert owner.post(PAGE, {"step": "require", "required": "1"}).status_code == 302
        for client in (owner, member):
            assert client.get("/admin/")["Location"] == PAGE
            assert "asks for a second factor" in client.get(PAGE).content.decode()
            assert client.get("/api/v1/widgets/").status_code == 401
        assert theirs.get("/admin/").status_code == 200
        assert theirs.get("/api/v1/widgets/").status_code == 200
        member.post(PAGE, {"step": "begin", "password": PASSWORD})
        secret = re.search(r"secret: <code>(\w+)", member.get(PAGE).content.decode()).group(1)
        member.post(PAGE, {"step": "confirm", "code": pyotp.TOTP(secret).now()})
        assert member.get("/admin/").status_code == 200

    @pytest.mark.parametrize("role", [Role.ADMIN, Role.MEMBER])
    def test_only_an_owner_decides(self, acme, sign_in, redis, role):  # noqa: F811 - the fixture
        client = sign_in(acme, role)
        client.post(PAGE, {"step": "require", "required": "1"})
        with acting_as(acme):
            assert not second_factor.is_required()


def test_an_owner_turns_off_a_colleagues(acme, bolt, protected, sign_in):  # noqa: F811 - the fixture
    owner, _, _ = protected
    admin = sign_in(acme, Role.ADMIN)
    with acting_as(acme):
        path = address(User, "second-factor-off", User.objects.get(email=EMAIL).pk)
    admin.post(path)
    with acting_as(acme):
        assert SecondFactor.objects.exists()
    theirs = Client()
    theirs.post("/admin/login/?next=/admin/", {"username": "owner@bolt.example", "password": PASSWORD})
    assert theirs.post(path).status_code == 404
    assert owner.get(path).status_code == 405
    assert owner.post(path).status_code == 302
    with acting_as(acme):
        assert not SecondFactor.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_one_code_at_once_from_eight_places_opens_one(acme, sign_in, redis):  # noqa: F811 - the fixture
    sign_in(acme)
    with acting_as(acme):
        user = User.objects.get()
        second_factor.begin(user, PASSWORD)
        app = pyotp.TOTP(decrypt(SecondFactor.objects.get().secret))
        second_factor.confirm(user, app.now())
        SecondFactor.objects.update(last_step=0)

    def attempt(code):
        try:
            with acting_as(acme):
                return second_factor.check(user, code)
        except second_factor.locking_out.LockedOut:
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, [app.now()] * 8)) == 1


class TestAnotherApp:
    def begin(self, client):
        assert client.post(PAGE, {"step": "another", "password": PASSWORD}).status_code == 302
        html = client.get(PAGE).content.decode()
        return pyotp.TOTP(re.search(r"secret: <code>(\w+)", html).group(1))

    def test_it_takes_the_old_ones_place_with_its_first_code_also_where_one_is_required(
        self, acme, protected
    ):
        client, old, codes = protected
        client.post(PAGE, {"step": "require", "required": "1"})
        new = self.begin(client)
        assert (
            "is not what the app shows"
            in client.post(PAGE, {"step": "confirm", "code": old.now()}).content.decode()
        )
        # Until then the old one is good.
        assert first_step().post(CODE, {"code": old.now()}).status_code == 302
        forget_steps(acme)
        assert client.post(PAGE, {"step": "confirm", "code": new.now()}).status_code == 302
        forget_steps(acme)
        assert "was used before" in first_step().post(CODE, {"code": old.now()}).content.decode()
        assert first_step().post(CODE, {"code": new.now()}).status_code == 302
        assert first_step().post(CODE, {"code": codes[0]}).status_code == 302

    def test_it_wants_the_password_and_may_be_left(self, acme, protected):
        client, old, _ = protected
        page = client.post(PAGE, {"step": "another", "password": "x"}).content.decode()
        assert "is not your password" in page
        self.begin(client)
        client.post(PAGE, {"step": "leave"})
        assert "<svg" not in client.get(PAGE).content.decode()
        assert first_step().post(CODE, {"code": old.now()}).status_code == 302

    def test_once_the_app_is_removed_one_begins_anew(self, acme, protected):
        client, _, _ = protected
        unused = self.begin(client)
        client.post(PAGE, {"step": "off", "password": PASSWORD})
        assert client.post(PAGE, {"step": "begin", "password": PASSWORD}).status_code == 302
        html = client.get(PAGE).content.decode()
        secret = re.search(r"secret: <code>(\w+)", html).group(1)
        assert secret != unused.secret
        codes = client.post(PAGE, {"step": "confirm", "code": pyotp.TOTP(secret).now()}).context["codes"]
        assert len(codes) == 10

    def test_its_secret_does_not_lie_open_in_the_session(self, acme, protected):
        client, _, _ = protected
        new = self.begin(client)
        kept = client.session["_another_app"]["secret"]
        assert new.secret not in kept
        assert decrypt(kept.encode()) == new.secret
