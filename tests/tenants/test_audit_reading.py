"""Reading the record: by the API and in the admin, one's own only, by owners and admins and keys that may."""

from datetime import timedelta

import pytest
from django.test import Client
from django.utils import timezone

from tenants import locking_out, signing_in
from tenants.auditing import Actor, doing_as
from tenants.authentication import issue_api_key
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import AuditEntry
from tenants.permissions import Role
from tenants.tasks import note_failed_sign_in
from tests import cast
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - the fixture
from tests.admin.rows import address
from tests.tenants.callers import caller

PATH = "audit-entries/"
LIST = address(AuditEntry)


@pytest.fixture
def entries(acme, bolt, redis):
    """A person of each tenant, made by somebody with a name."""
    for tenant in (acme, bolt):
        with doing_as(Actor("staff", "7", f"Grace for {tenant.slug}", "192.0.2.1")), acting_as(tenant):
            create_user(f"ada@{tenant.slug}.com", PASSWORD, name="Ada")


@pytest.mark.django_db(transaction=True)
class TestApi:
    def test_an_entry_tells_who_did_what(self, client, acme, entries):
        call = caller(client, acme)
        (found,) = call("GET", f"{PATH}?actor_kind=staff").json()["results"]
        assert found["actor"] == {"kind": "staff", "id": "7", "name": "Grace for acme"}
        assert (found["action"], found["target"]["kind"], found["target"]["name"]) == (
            "created",
            "member",
            "ada@acme.com",
        )
        assert found["before"] is None
        assert (found["after"]["password"], found["after"]["role"], found["ip"]) == (
            "•••",
            "member",
            "192.0.2.1",
        )
        assert call("GET", f"{PATH}{found['id']}/").json() == found

    def test_anothers_entries_are_not_there(self, client, acme, bolt, entries):
        with acting_as(bolt):
            theirs = [str(pk) for pk in AuditEntry.objects.values_list("pk", flat=True)]
        call = caller(client, acme)
        listed = {entry["id"] for entry in call("GET", f"{PATH}?limit=100").json()["results"]}
        assert listed
        assert not listed & set(theirs)
        for one in theirs:
            assert call("GET", f"{PATH}{one}/").status_code == 404
            assert call("GET", f"{PATH}?target={one}").json()["results"] == []

    def test_filters(self, client, acme, entries):
        call = caller(client, acme)
        every = call("GET", f"{PATH}?limit=100").json()["results"]
        ada = next(entry for entry in every if entry["target"]["kind"] == "member")
        later = (timezone.now() + timedelta(hours=1)).isoformat().replace("+", "%2B")
        for query, number in (
            (f"target={ada['target']['id']}", 1), ("target_kind=member", 1), ("action=created", len(every)),
            ("actor=7", 1), ("actor_kind=key", 0), ("action=nothing", 0),
            (f"start={later}", 0), (f"end={later}", len(every)),
        ):  # fmt: skip
            assert len(call("GET", f"{PATH}?limit=100&{query}").json()["results"]) == number, query
        for wrong in ("actor_kind=god", "start=yesterday", "cursor=x", "limit=0"):
            assert call("GET", f"{PATH}?{wrong}").status_code == 400

    def test_pages_hold_each_entry_once(self, client, acme, entries):
        call, seen, cursor = caller(client, acme), [], ""
        while cursor is not None:
            page = call("GET", f"{PATH}?limit=1{cursor and '&cursor=' + cursor}").json()
            seen += [entry["id"] for entry in page["results"]]
            cursor = page["next"]
        assert seen == sorted(set(seen), reverse=True)
        with acting_as(acme):
            assert len(seen) == AuditEntry.objects.count()

    @pytest.mark.parametrize(
        ("scope", "status"), [("audit:read", 200), ("read", 200), ("account:read", 403), ("write", 403)]
    )
    def test_scopes(self, client, acme, scope, status):
        with acting_as(acme):
            _, secret = issue_api_key("Auditor", [scope])
        answer = client.get(f"/api/v1/{PATH}", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == status

    def test_nothing_writes(self, client, acme, entries):
        call = caller(client, acme)
        one = call("GET", f"{PATH}?limit=1").json()["results"][0]["id"]
        for method, path in (("POST", PATH), ("PATCH", f"{PATH}{one}/"), ("DELETE", f"{PATH}{one}/")):
            assert call(method, path, {}).status_code in (403, 405)


@pytest.mark.django_db
class TestPages:
    def test_the_list_and_the_difference(self, acme, bolt, entries, sign_in):  # noqa: F811 - the fixture
        client = sign_in(acme)
        page = client.get(LIST).content.decode()
        assert "Grace for acme" in page
        assert "Grace for bolt" not in page
        with acting_as(acme):
            entry = AuditEntry.objects.get(actor_kind="staff")
        page = client.get(address(AuditEntry, "change", entry.pk)).content.decode()
        assert "platform staff" in page
        assert "•••" in page
        assert "192.0.2.1" in page

    @pytest.mark.parametrize(
        ("query", "is_there"),
        [
            ("?q=Grace", True), ("?q=bolt", False), ("?who=staff", True), ("?who=key", False),
            ("?action=created", True),
            ("?action=deleted", False), ("?thing=member", True), ("?thing=widget", False), ("?when=1", True),
            ("?when=999", True), ("?action=%00", True),
        ],
    )  # fmt: skip
    def test_search_and_filters(self, acme, entries, sign_in, query, is_there):  # noqa: F811 - the fixture
        page = sign_in(acme).get(LIST + query).content.decode()
        assert ("Grace for acme" in page) is is_there

    @pytest.mark.parametrize(("role", "status"), [(Role.OWNER, 200), (Role.ADMIN, 200), (Role.MEMBER, 403)])
    def test_roles(self, acme, entries, sign_in, role, status):  # noqa: F811 - the fixture
        client = sign_in(acme, role)
        assert client.get(LIST).status_code == status
        with acting_as(acme):
            entry = AuditEntry.objects.first()
        assert client.get(address(AuditEntry, "change", entry.pk)).status_code == status
        for page in ("change", "delete"):
            assert client.post(address(AuditEntry, page, entry.pk), {"post": "yes"}).status_code == 403


@pytest.mark.django_db
class TestSigningIn:
    def told(self, tenant, action):
        with acting_as(tenant):
            return list(AuditEntry.objects.filter(action=action).order_by("id"))

    def test_in_and_out_are_recorded_with_their_address(self, acme, bolt, redis):
        ada = cast.person(acme, "ada@acme.com", name="Ada")
        client = Client(REMOTE_ADDR="192.0.2.5")
        client.post("/admin/login/", {"username": "ada@acme.com", "password": PASSWORD})
        client.post("/admin/logout/")
        for action in ("signed_in", "signed_out"):
            (entry,) = self.told(acme, action)
            assert (entry.actor_id, entry.actor_text, entry.ip) == (
                str(ada.pk),
                "Ada (ada@acme.com)",
                "192.0.2.5",
            )
        assert self.told(bolt, "signed_in") == []

    def test_a_wrong_password_is_reported_alike_for_every_email(self, acme, redis, monkeypatch):
        cast.person(acme, "ada@acme.com")
        sent = []
        monkeypatch.setattr(note_failed_sign_in, "apply_async", lambda args, **_: sent.append(args))
        for email in ("ada@acme.com", "nobody@acme.com"):
            Client(REMOTE_ADDR="192.0.2.5").post("/admin/login/", {"username": email, "password": "wrong"})
        assert sent == [["ada@acme.com", "192.0.2.5"], ["nobody@acme.com", "192.0.2.5"]]
        assert [signing_in.note_failure(*args) for args in sent] == [True, False]
        (entry,) = self.told(acme, "sign_in_failed")
        assert (entry.actor_kind, entry.ip, entry.target_text) == ("system", "192.0.2.5", "ada@acme.com")
        assert entry.after == {"step": "password", "tries": 1}

    def test_guessing_for_long_is_told_every_tenth_time(self, acme, redis, monkeypatch):
        cast.person(acme, "ada@acme.com")
        for tries in range(1, 41):
            monkeypatch.setattr(locking_out, "tries", lambda _, tries=tries: tries)
            signing_in.note_failure("ada@acme.com", None)
        told = [entry.after["tries"] for entry in self.told(acme, "sign_in_failed")]
        assert told == [1, 2, 3, 4, 5, 10, 20, 30, 40]

    def test_a_broker_that_is_away_keeps_nobody_out(self, acme, redis, monkeypatch):
        from kombu.exceptions import OperationalError

        cast.person(acme, "ada@acme.com")

        def away(*_, **__):
            raise OperationalError

        monkeypatch.setattr(note_failed_sign_in, "apply_async", away)
        client = Client()
        assert client.post("/admin/login/", {"username": "ada@acme.com", "password": "no"}).status_code == 200
        login = client.post("/admin/login/", {"username": "ada@acme.com", "password": PASSWORD})
        assert login.status_code == 302
