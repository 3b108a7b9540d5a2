"""members/ and domains/: the doors, and the owner that always remains."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.utils import timezone

from kernel.errors import Conflict
from kernel.ids import uuid7
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import AuthSession, Domain, User
from tenants.permissions import Role
from tenants.team import change_person
from tests.tenants.callers import caller, code_of, every, wrong_fields

PASSWORD = "correct horse battery"


def person(tenant, name, role=Role.OWNER):
    with acting_as(tenant):
        return create_user(f"{name}@{tenant.slug}.example", PASSWORD, name=name, role=role)


@pytest.fixture
def as_acme(client, acme, bolt):
    person(bolt, "boss")
    return caller(client, acme)


class TestMembers:
    def test_from_joining_to_leaving(self, as_acme, acme, client):
        owner = person(acme, "olga")
        made = as_acme(
            "POST",
            "members/",
            {"email": "Ada@ACME.example", "password": PASSWORD, "name": "Ada", "role": "admin"},
        )
        assert made.status_code == 201, made.content
        ada = made.json()
        assert (ada["email"], ada["role"], ada["is_active"]) == ("ada@acme.example", "admin", True)
        assert "password" not in ada
        path = f"members/{ada['id']}/"
        assert as_acme("GET", path).json() == ada
        assert client.login(username="ada@acme.example", password=PASSWORD)
        changed = as_acme(
            "PATCH", path, {**ada, "name": "Ada L.", "avatar_url": "https://acme.example/ada.png"}
        )
        assert (changed.json()["name"], changed.json()["email"]) == ("Ada L.", "ada@acme.example")
        assert as_acme("DELETE", path).status_code == 204
        assert as_acme("GET", path).json()["is_active"] is False
        assert not client.login(username="ada@acme.example", password=PASSWORD)
        with acting_as(acme):
            assert AuthSession.objects.count() == 0
        assert [row["id"] for row in every(as_acme, "members/?is_active=true")] == [str(owner.pk)]
        assert {row["name"] for row in every(as_acme, "members/", 1)} == {"olga", "Ada L."}

    def test_filters(self, as_acme, acme):
        person(acme, "olga")
        person(acme, "mia", Role.MEMBER)
        assert [row["name"] for row in every(as_acme, "members/?role=member")] == ["mia"]
        assert [row["name"] for row in every(as_acme, "members/?email=olga@acme.example")] == ["olga"]
        assert every(as_acme, "members/?email=boss@bolt.example") == []
        assert wrong_fields(as_acme("GET", "members/?role=king&is_active=1")) == {"role", "is_active"}

    def test_another_tenants_are_not_there(self, as_acme, bolt):
        with acting_as(bolt):
            path = f"members/{User.objects.get().pk}/"
        for verb in ("GET", "PATCH", "DELETE"):
            assert code_of(as_acme(verb, path, {}), 404) == "not_found"
        assert code_of(as_acme("GET", f"members/{uuid7()}/"), 404) == "not_found"
        taken = as_acme("POST", "members/", {"email": "boss@bolt.example", "password": PASSWORD})
        assert code_of(taken, 409) == "conflict"

    @pytest.mark.parametrize(
        ("change", "field"),
        [({"email": "ada"}, "email"), ({"email": 5}, "email"), ({"password": "short"}, "password"),
         ({"password": "password1234"}, "password"), ({"role": "king"}, "role"), ({"name": 7}, "name"),
         ({"name": "x" * 121}, "name"), ({"is_staff": True}, "is_staff"), ({"tenant": "x"}, "tenant")],
    )  # fmt: skip
    def test_a_wrong_field_is_named(self, as_acme, change, field):
        body = {"email": "a@acme.example", "password": PASSWORD, **change}
        assert wrong_fields(as_acme("POST", "members/", body)) == {field}

    def test_an_address_is_one(self, as_acme, acme):
        path = f"members/{person(acme, 'olga').pk}/"
        assert wrong_fields(as_acme("PATCH", path, {"avatar_url": "javascript:alert(1)"})) == {"avatar_url"}

    def test_an_active_owner_remains(self, as_acme, acme):
        first, second = person(acme, "olga"), person(acme, "otto")
        assert as_acme("PATCH", f"members/{first.pk}/", {"role": "member"}).status_code == 200
        for verb, body in (("PATCH", {"role": "admin"}), ("PATCH", {"is_active": False}), ("DELETE", None)):
            assert code_of(as_acme(verb, f"members/{second.pk}/", body), 409) == "last_owner"

    def test_only_owners_make_owners(self, client, as_acme, acme):
        owner = person(acme, "olga")
        narrow = caller(client, acme, "account:read", "account:write")
        body = {"email": "x@acme.example", "password": PASSWORD, "role": "owner"}
        assert code_of(narrow("POST", "members/", body), 403) == "not_allowed"
        assert code_of(narrow("PATCH", f"members/{owner.pk}/", {"name": "x"}), 403) == "not_allowed"
        assert as_acme("POST", "members/", body).status_code == 201
        assert code_of(caller(client, acme, "widgets:read")("GET", "members/"), 403) == "missing_scope"


@pytest.mark.django_db(transaction=True)
def test_two_owners_who_step_down_at_once_leave_one(acme):
    for _ in range(10):
        pair = [person(acme, f"o{uuid7().hex[-8:]}") for _ in range(2)]
        with acting_as(acme):
            User.objects.exclude(pk__in=[p.pk for p in pair]).update(role=Role.MEMBER)

        def step_down(one):
            try:
                with acting_as(acme):
                    change_person(one, one.pk, role=Role.MEMBER)
                    return "left"
            except Conflict as refused:
                return refused.code
            finally:
                connection.close()

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(step_down, pair)) == ["last_owner", "left"]
        with acting_as(acme):
            assert User.objects.filter(role=Role.OWNER, is_active=True).count() == 1


class TestDomains:
    def test_from_birth_to_death(self, as_acme, acme, bolt):
        with acting_as(bolt):
            theirs = Domain.objects.create(hostname="help.bolt.example", tenant_id=bolt.pk)
        made = as_acme("POST", "domains/", {"hostname": "Help.ACME.example."})
        assert made.status_code == 201, made.content
        assert (made.json()["hostname"], made.json()["verified_at"]) == ("help.acme.example", None)
        path = f"domains/{made.json()['id']}/"
        assert code_of(as_acme("PATCH", path, {"is_primary": True}), 409) == "not_verified"
        with acting_as(acme):
            Domain.objects.update(verified_at=timezone.now())
        assert as_acme("PATCH", path, {"is_primary": True}).json()["is_primary"] is True
        assert as_acme("PATCH", path, {}).json()["is_primary"] is True
        assert [row["hostname"] for row in every(as_acme, "domains/")] == ["help.acme.example"]
        for verb in ("GET", "PATCH", "DELETE"):
            assert code_of(as_acme(verb, f"domains/{theirs.pk}/", {"is_primary": True}), 404) == "not_found"
        assert (
            code_of(as_acme("POST", "domains/", {"hostname": "help.bolt.example"}), 409) == "hostname_taken"
        )
        assert as_acme("DELETE", path).status_code == 204
        assert as_acme("GET", path).status_code == 404
        assert as_acme("POST", "domains/", {"hostname": "help.acme.example"}).status_code == 201

    def test_there_is_one_primary_at_most(self, as_acme, acme):
        ids = [as_acme("POST", "domains/", {"hostname": f"h{n}.acme.example"}).json()["id"] for n in range(2)]
        with acting_as(acme):
            Domain.objects.update(verified_at=timezone.now())
        for one in ids:
            as_acme("PATCH", f"domains/{one}/", {"is_primary": True})
        assert [row["is_primary"] for row in every(as_acme, "domains/")] == [True, False]

    @pytest.mark.parametrize(
        "hostname",
        [
            "",
            "localhost",
            "https://a.example",
            "a..example",
            "-a.example",
            "192.0.2.1",
            "a.example/x",
            5,
            "x" * 64 + ".example",
            "ä.example",
        ],
    )
    def test_what_is_no_hostname(self, as_acme, hostname):  # fmt: skip
        assert wrong_fields(as_acme("POST", "domains/", {"hostname": hostname})) == {"hostname"}
