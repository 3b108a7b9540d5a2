"""Security keys: added with the password, bound to host, person and session; each answer opens one session once."""

import json
import re
from concurrent.futures import ThreadPoolExecutor

import pyotp
import pytest
from django.db import connection
from django.test import Client
from hypothesis import given
from hypothesis import strategies as st

from kernel.errors import Conflict, InvalidInput
from tenants import second_factor, security_keys
from tenants.admin import challenges
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import AuditEntry, AuthSession, RecoveryCode, SecurityKey, User
from tenants.permissions import Role
from tenants.security_keys import Place, place_of
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - a fixture
from tests.admin.rows import address
from tests.tenants.authenticator import SoftKey, encoded

PAGE, CODE = "/admin/your/second-factor/", "/admin/login/code/"
EMAIL = "owner@acme.example"
HERE = Place("localhost", ["http://localhost"])


class Local(Client):
    """A browser at http://localhost, where keys may be asked."""

    def __init__(self, **defaults):
        super().__init__(SERVER_NAME="localhost", **defaults)


@pytest.fixture
def acmes(acme, bolt, redis):
    """Clients of acme's owner and of bolt's, signed in at localhost."""
    return [signed_in(tenant, Role.OWNER) for tenant in (acme, bolt)]


def signed_in(tenant, role):
    email = f"{role}@{tenant.slug}.example"
    with acting_as(tenant):
        create_user(email, PASSWORD, role=role)
    client = Local()
    client.post("/admin/login/?next=/admin/", {"username": email, "password": PASSWORD})
    return client


def begin(client, name="Blue key"):
    """The options that the page gives its browser."""
    response = client.post(PAGE, {"step": "name_key", "name": name, "password": PASSWORD})
    assert response.status_code == 302, response.context["form"].errors
    return client.get(PAGE).context["key_options"]


def add(client, key, name="Blue key"):
    return client.post(PAGE, {"step": "add_key", "answer": key.create(begin(client, name))})


def first_step(email=EMAIL, after="/admin/"):
    client = Local()
    response = client.post("/admin/login/", {"username": email, "password": PASSWORD, "next": after})
    assert response["Location"] == CODE
    return client


def asked(client):
    return client.get(CODE).context["key_options"]


def opens(client, answer):
    """Whether the answer signed the client in; what is said where not."""
    response = client.post(CODE, {"answer": answer})
    if response.status_code == 302 and response["Location"] != "/admin/login/":
        return client.get("/admin/").status_code == 200
    assert client.get("/admin/").status_code == 302
    return False


@pytest.fixture
def key(acmes):
    """A key of acme's owner; its recovery codes are its `codes`."""
    made = SoftKey()
    made.codes = add(acmes[0], made).context["codes"]
    return made


def test_a_key_is_added_and_signs_in(acme, bolt, acmes, key):
    assert len(key.codes) == 10
    page = acmes[0].get(PAGE).content.decode()
    assert "Blue key" in page
    assert "localhost" in page
    with acting_as(acme):
        row = SecurityKey.objects.get()
        assert (row.name, row.rp_id, row.transports) == ("Blue key", "localhost", ["usb"])
    client = first_step(after="/admin/tenants/user/")
    before = client.session.session_key
    assert client.get("/admin/").status_code == 302
    assert client.get("/api/v1/widgets/").status_code == 401
    response = client.post(CODE, {"answer": key.get(asked(client))})
    assert response["Location"] == "/admin/tenants/user/"
    assert client.session.session_key != before
    assert client.get("/admin/").status_code == 200
    with acting_as(acme):
        row.refresh_from_db()
        assert row.sign_count == 1
        assert row.last_used_at is not None
    with acting_as(bolt):
        assert not SecurityKey.objects.exists()
    assert acmes[1].get(PAGE).context["keys"] == []


def test_several_keys_and_each_signs_in_but_codes_are_made_once(acmes, key):
    second = SoftKey(counts=False)
    response = add(acmes[0], second, "Phone")
    assert response.status_code == 302
    with_app = first_step()
    assert len(json.loads(asked(with_app))["allowCredentials"]) == 2
    for one in (key, second, second):
        client = first_step()
        assert opens(client, one.get(asked(client)))
    assert opens_with_code(key.codes[0])


def opens_with_code(code):
    client = first_step()
    client.post(CODE, {"code": code})
    return client.get("/admin/").status_code == 200


def test_a_recovery_code_opens_where_there_is_no_app(key):
    assert "recovery code" in first_step().get(CODE).content.decode()
    assert opens_with_code(key.codes[0])
    assert not opens_with_code(key.codes[0])


@pytest.mark.parametrize(
    "changes",
    [
        {"origin": "http://localhost.evil.example"},
        {"origin": "https://localhost"},
        {"rp_id": "evil.example"},
        {"challenge": "AAAA"},
        {"type": "webauthn.create"},
        {"flags": 0},
    ],
)
def test_an_answer_to_something_else_opens_nothing(key, changes):
    client = first_step()
    assert not opens(client, key.get(asked(client), **changes))
    client = first_step()
    assert opens(client, key.get(asked(client)))


def test_a_counter_that_does_not_go_up_is_refused(acme, key):
    client = first_step()
    assert opens(client, key.get(asked(client), count=7))
    for count in (7, 6, 0):
        client = first_step()
        assert not opens(client, key.get(asked(client), count=count))
    with acting_as(acme):
        assert SecurityKey.objects.get().sign_count == 7


def test_a_challenge_is_good_once_and_in_its_own_session_only(key):
    client = first_step()
    options = asked(client)
    assert not opens(client, "{}")
    # Spent, although the answer was rubbish.
    assert not opens(client, key.get(options))
    mine, other = first_step(), first_step()
    options = asked(mine)
    asked(other)
    assert not opens(other, key.get(options))
    never_asked = first_step()
    assert not opens(never_asked, key.get(options))


def test_a_challenge_is_good_for_ten_minutes(key, monkeypatch):
    client = first_step()
    options = asked(client)
    session = client.session
    session[challenges.CHALLENGE] = session[challenges.CHALLENGE] | {"at": 0}
    session.save()
    assert not opens(client, key.get(options))


def test_the_record_tells_who_added_a_key_and_where_one_failed_but_no_bytes_of_it(acme, bolt, key):
    client = first_step()
    assert not opens(client, SoftKey().get(asked(client)))
    with acting_as(acme):
        entries = {(one.action, one.target_kind): one for one in AuditEntry.objects.all()}
        added, failed = entries["created", "security_key"], entries["sign_in_failed", "member"]
        assert (added.target_text, added.actor_text) == ("Blue key", EMAIL)
        assert added.after["public_key"] == added.after["credential_id"] == "•••"
        assert failed.after == {"step": "security key", "tries": 1}
    with acting_as(bolt):
        assert not AuditEntry.objects.filter(target_kind="security_key").exists()


def test_anothers_key_and_an_unknown_one_open_nothing(acmes, key):
    theirs, unknown = SoftKey(), SoftKey()
    add(acmes[1], theirs)
    for other in (theirs, unknown):
        client = first_step()
        assert not opens(client, other.get(asked(client)))
    stolen = SoftKey()
    stolen.id = key.id
    client = first_step()
    assert not opens(client, stolen.get(asked(client)))


def test_a_key_of_another_host_is_not_asked_for(acme, key):
    with acting_as(acme):
        SecurityKey.objects.update(rp_id="desk.example")
    client = first_step()
    assert asked(client) == ""
    assert opens_with_code(key.codes[0])


RUBBISH = (
    "", "x", "[]", "null", "{}", '{"id": 1}', '{"id": "\\u0000"}', "[" * 9_000, "1" * 40_000,
    '{"id": "AA", "rawId": "AA", "type": "public-key", "response": {}}',
)  # fmt: skip


@pytest.mark.parametrize("answer", RUBBISH, ids=range(len(RUBBISH)))
def test_rubbish_is_refused_in_words(acmes, key, answer):
    client = first_step()
    asked(client)
    assert not opens(client, answer)
    begin(acmes[0])
    response = acmes[0].post(PAGE, {"step": "add_key", "answer": answer})
    assert response.status_code == 200
    assert response.context["form"].errors


@given(st.binary(max_size=300), st.binary(max_size=100), st.binary(max_size=80))
def test_no_bytes_of_a_strangers_are_an_error_of_ours(client_data, data, signature):
    response = {"clientDataJSON": encoded(client_data), "authenticatorData": encoded(data),
                "signature": encoded(signature), "attestationObject": encoded(data)}  # fmt: skip
    answer = json.dumps({"id": "AA", "rawId": "AA", "type": "public-key", "response": response})
    for verify, more in (
        (security_keys.webauthn.verify_registration_response, {}),
        (
            security_keys.webauthn.verify_authentication_response,
            {"credential_public_key": data, "credential_current_sign_count": 0},
        ),
    ):
        with pytest.raises(InvalidInput):
            security_keys._verified(
                verify, credential=json.loads(answer), expected_challenge=b"x", expected_rp_id="localhost",
                expected_origin=["http://localhost"], **more,
            )  # fmt: skip


def test_guessing_has_to_wait(key):
    for _ in range(5):
        client = first_step()
        assert not opens(client, SoftKey().get(asked(client)))
    client = first_step()
    response = client.post(CODE, {"answer": key.get(asked(client))})
    assert "Too many attempts" in response.content.decode()


def test_adding_wants_the_password_a_name_and_a_challenge_of_this_session(acme, acmes):
    owner, theirs = acmes
    for wrong, said in (({"password": "x"}, "is not your password"), ({"name": ""}, "required")):
        given = {"step": "name_key", "name": "Blue", "password": PASSWORD} | wrong
        assert said in owner.post(PAGE, given).content.decode()
    key = SoftKey()
    others = begin(theirs)
    assert (
        "came too late"
        in owner.post(PAGE, {"step": "add_key", "answer": key.create(others)}).content.decode()
    )
    for changes in ({"origin": "http://evil.example"}, {"rp_id": "evil.example"}, {"challenge": "AAAA"}):
        answer = key.create(begin(owner), **changes)
        assert "was not accepted" in owner.post(PAGE, {"step": "add_key", "answer": answer}).content.decode()
    owner.post(PAGE, {"step": "leave"})
    assert owner.get(PAGE).context["key_options"] == ""
    with acting_as(acme):
        assert not SecurityKey.objects.exists()
        assert not second_factor.is_on(User.objects.get())


def test_the_same_key_is_added_once_and_browsers_are_told(acmes, key):
    options = begin(acmes[0])
    assert [one["transports"] for one in json.loads(options)["excludeCredentials"]] == [["usb"]]
    assert json.loads(options)["authenticatorSelection"]["userVerification"] == "preferred"
    said = acmes[0].post(PAGE, {"step": "add_key", "answer": key.create(options)}).content.decode()
    assert "added already" in said


def test_twenty_keys_are_enough(acme, acmes, monkeypatch):
    monkeypatch.setattr(security_keys, "MAX_KEYS", 1)
    add(acmes[0], SoftKey())
    page = acmes[0].post(PAGE, {"step": "name_key", "name": "Second", "password": PASSWORD}, follow=True)
    assert "Remove one first" in page.content.decode()


def remove(client, key_id, password=PASSWORD):
    return client.post(PAGE, {"step": "remove_key", "key": str(key_id), "password": password})


def test_a_key_is_removed_with_the_password_and_by_its_owner_only(acme, bolt, acmes, key):
    owner, theirs = acmes
    with acting_as(acme):
        row = SecurityKey.objects.get()
    member = signed_in(acme, Role.MEMBER)
    for client in (theirs, member):
        assert "no such key" in remove(client, row.pk).content.decode()
    assert "is not your password" in remove(owner, row.pk, "x").content.decode()
    assert remove(owner, row.pk).status_code == 302
    with acting_as(acme):
        assert not SecurityKey.objects.exists()
        assert not RecoveryCode.objects.exists()
    plain = Local()
    plain.post("/admin/login/?next=/admin/", {"username": EMAIL, "password": PASSWORD})
    assert plain.get("/admin/").status_code == 200


class TestRequired:
    def test_a_key_is_enough_and_the_last_factor_stays(self, acme, acmes):
        owner = acmes[0]
        owner.post(PAGE, {"step": "require", "required": "1"})
        assert owner.get("/admin/")["Location"] == PAGE
        add(owner, SoftKey())
        assert owner.get("/admin/").status_code == 200
        assert owner.get("/api/v1/widgets/").status_code == 200
        with acting_as(acme):
            row = SecurityKey.objects.get()
        assert "before you remove this" in remove(owner, row.pk).content.decode()
        with acting_as(acme):
            assert SecurityKey.objects.exists()
            assert RecoveryCode.objects.exists()
        # With an app beside it the key may go, and then the app may not.
        owner.post(PAGE, {"step": "begin", "password": PASSWORD})
        secret = re.search(r"secret: <code>(\w+)", owner.get(PAGE).content.decode()).group(1)
        assert owner.post(PAGE, {"step": "confirm", "code": pyotp.TOTP(secret).now()}).status_code == 302
        assert remove(owner, row.pk).status_code == 302
        said = owner.post(PAGE, {"step": "off", "password": PASSWORD}).content.decode()
        assert "before you remove this" in said
        assert owner.get("/admin/").status_code == 200
        owner.post(PAGE, {"step": "require", "required": "0"})
        assert owner.post(PAGE, {"step": "off", "password": PASSWORD}).status_code == 302
        with acting_as(acme):
            assert not RecoveryCode.objects.exists()

    @pytest.mark.django_db(transaction=True)
    def test_the_last_two_are_not_both_removed_at_once(self, acme, redis):
        with acting_as(acme):
            user = create_user(EMAIL, PASSWORD, role=Role.OWNER)
            second_factor.require(user, True)
            rows = [
                SecurityKey.objects.create(
                    user=user, name=n, rp_id="localhost", credential_id=n, public_key=b""
                )
                for n in ("a", "b")
            ]

        def attempt(row):
            try:
                with acting_as(acme):
                    security_keys.remove(user, row.pk, PASSWORD)
                return True
            except Conflict:
                return False
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as pool:
            assert sorted(pool.map(attempt, rows)) == [False, True]
        with acting_as(acme):
            assert SecurityKey.objects.count() == 1


def test_an_owner_turns_off_a_colleagues(acme, acmes):
    admin = signed_in(acme, Role.ADMIN)
    add(admin, SoftKey())
    with acting_as(acme):
        path = address(User, "second-factor-off", User.objects.get(role=Role.ADMIN).pk)
    assert acmes[1].post(path).status_code == 404
    assert acmes[0].post(path).status_code == 302
    with acting_as(acme):
        assert not SecurityKey.objects.exists()


@pytest.mark.parametrize(
    ("host", "is_secure", "origins"),
    [
        ("localhost:8000", False, ["http://localhost:8000"]),
        ("desk.example", True, ["https://desk.example"]),
        ("desk.example", False, None),
        ("127.0.0.1:8000", False, None),
        ("127.0.0.1:8000", True, None),
        ("[::1]:8000", False, None),
        ("support.example", False, ["https://support.example"]),
    ],
)
def test_where_keys_can_be_asked(settings, host, is_secure, origins):
    # TLS may end at a proxy that does not say so: what is published is believed, for that host alone.
    settings.BASE_URL = "https://support.example"
    place = place_of(host, is_secure=is_secure)
    assert (place.origins if place else None) == origins


def test_where_they_cannot_the_page_says_so(sign_in, acme):  # noqa: F811 - the fixture
    client = sign_in(acme)
    assert "Browsers ask keys only where" in client.get(PAGE).content.decode()


@pytest.mark.django_db(transaction=True)
def test_one_answer_at_once_from_eight_places_opens_one(acme, redis):
    with acting_as(acme):
        user, key = create_user(EMAIL, PASSWORD), SoftKey(counts=False)
        ask = security_keys.ask_to_add(user, HERE)
        security_keys.add(user, "Blue", key.create(ask.options), challenge=ask.challenge, place=HERE)
        ask = security_keys.ask_to_sign_in(user, HERE)
    answer = key.get(ask.options)

    def attempt(_):
        try:
            with acting_as(acme):
                security_keys.check(user, answer, challenge=ask.challenge, place=HERE)
            return True
        except (InvalidInput, security_keys.locking_out.LockedOut):
            return False
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(attempt, range(8))) == 1
    with acting_as(acme):
        assert AuthSession.objects.count() == 0
