"""Team, API keys and the tenant's settings."""

import re
from datetime import timedelta

import pytest

from kernel.clock import now
from tenants.authentication import authenticate_api_key, issue_api_key
from tenants.context import acting_as
from tenants.models import ApiKey, Tenant, User
from tenants.permissions import Role
from tests.admin.rows import address
from widgets.editing import create_widget


class TestTeam:
    FORM = {"email": "New@Acme.example", "name": "New", "role": "member", "password": "a rather long one"}

    def test_add_and_change_somebody(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/tenants/user/add/", self.FORM).status_code == 302
        with acting_as(acme):
            person = User.objects.get(email="new@acme.example")
        path = address(User, "change", person.pk)
        page = client.get(path).content.decode()
        assert person.password not in page
        assert "md5$" not in page
        assert "argon2" not in page
        assert client.post(path, {"name": "Newer", "role": "admin", "is_active": "on"}).status_code == 302
        assert client.get(address(User, "delete", person.pk)).status_code == 403

    @pytest.mark.parametrize(
        ("field", "value"), [("password", "short"), ("email", "nonsense"), ("role", "king")]
    )
    def test_what_is_refused(self, acme, sign_in, field, value):
        response = sign_in(acme).post("/admin/tenants/user/add/", {**self.FORM, field: value})
        assert field in response.context["adminform"].form.errors

    def test_an_email_of_another_tenants_is_taken(self, acme, bolt, sign_in):
        sign_in(bolt)
        response = sign_in(acme).post(
            "/admin/tenants/user/add/", {**self.FORM, "email": "owner@bolt.example"}
        )
        assert response.status_code == 200
        assert (
            response.context["adminform"].form.non_field_errors() or response.context["adminform"].form.errors
        )

    def test_the_last_owner_stays_and_only_owners_make_owners(self, acme, sign_in):
        client, admin = sign_in(acme), sign_in(acme, Role.ADMIN)
        with acting_as(acme):
            owner, other = User.objects.get(role="owner"), User.objects.get(role="admin")
        path = address(User, "change", owner.pk)
        for form in ({"name": "x", "role": "owner"}, {"name": "x", "role": "member", "is_active": "on"}):
            assert "always has an active owner" in client.post(path, form).content.decode()
        for person in (owner, other):
            refused = admin.post(
                address(User, "change", person.pk), {"name": "x", "role": "owner", "is_active": "on"}
            )
            assert "Only an owner" in refused.content.decode()
        with acting_as(acme):
            assert list(User.objects.filter(role="owner", is_active=True)) == [owner]


class TestKeys:
    def test_the_secret_is_shown_once(self, acme, sign_in):
        client = sign_in(acme)
        response = client.post(
            "/admin/tenants/apikey/add/", {"name": "Worker", "scopes": ["read", "billing:write"]}
        )
        assert "no-store" in response["Cache-Control"]
        secret = re.search(r"fd_sk_[\w-]{40,}", response.content.decode()).group()
        found, key = authenticate_api_key(secret)
        assert (found.id, key.scopes) == (acme.id, {"billing:write", "read"})
        for path in (address(ApiKey), address(ApiKey, "change", key.id)):
            assert secret not in client.get(path).content.decode()
        assert client.post(address(ApiKey, "change", key.id), {"name": "Renamed"}).status_code == 302
        assert client.post(address(ApiKey, "delete", key.id), {"post": "yes"}).status_code == 403
        assert client.post(f"{address(ApiKey)}{key.id}/revoke/").status_code == 302
        assert authenticate_api_key(secret) is None
        assert "revoked" in client.get(address(ApiKey)).content.decode()

    def test_nobody_grants_more_than_their_role_may(self, acme, sign_in):
        client = sign_in(acme, Role.ADMIN)
        for scopes, is_fine in (
            (["billing:write"], False),
            (["write"], False),
            (["read", "knowledge:write"], True),
        ):
            response = client.post("/admin/tenants/apikey/add/", {"name": "Worker", "scopes": scopes})
            made = b"Your new API key" in response.content
            assert made is is_fine, scopes
            assert made or "without holding it" in response.content.decode()

    def test_a_key_without_scopes_is_refused(self, acme, sign_in):
        response = sign_in(acme).post("/admin/tenants/apikey/add/", {"name": "Worker"})
        assert list(response.context["adminform"].form.errors) == ["scopes"]

    def test_a_rotated_key_overlaps_with_its_successor(self, acme, bolt, sign_in):
        client, member = sign_in(acme), sign_in(acme, Role.MEMBER)
        with acting_as(acme):
            old, secret = issue_api_key("Worker", ["read"])
        with acting_as(bolt):
            theirs, _ = issue_api_key("Worker", ["read"])
        response = client.post(f"{address(ApiKey)}{old.pk}/rotate/", {"overlap": "1"})
        successor = re.search(r"fd_sk_[\w-]{40,}", response.content.decode()).group()
        assert successor != secret
        assert authenticate_api_key(secret)
        assert authenticate_api_key(successor)
        with acting_as(acme):
            old.refresh_from_db()
        assert timedelta(minutes=59) < old.expires_at - now() < timedelta(minutes=61)
        for name in ("rotate", "revoke"):
            assert client.post(f"{address(ApiKey)}{theirs.pk}/{name}/").status_code == 404
            assert client.get(f"{address(ApiKey)}{old.pk}/{name}/").status_code == 405
            assert member.post(f"{address(ApiKey)}{old.pk}/{name}/").status_code == 403
        refused = client.post(f"{address(ApiKey)}{old.pk}/rotate/", {"overlap": "0"})
        assert "Your new API key" in refused.content.decode()
        assert authenticate_api_key(secret) is None

    def test_nobody_rotates_a_key_that_may_do_more_than_they(self, acme, sign_in):
        with acting_as(acme):
            key, _ = issue_api_key("Everything", ["write"])
        told = (
            sign_in(acme, Role.ADMIN).post(f"{address(ApiKey)}{key.pk}/rotate/", follow=True).content.decode()
        )
        assert "without holding it" in told
        assert "Your new API key" not in told


class TestSettings:
    FORM = {"name": "Acme & Sons", "timezone": "Asia/Tokyo", "locale": "de-AT", "allowed_domains": "Acme.example",
            "retention_days": "90",
            "sessionCapUsd": "0.75", "visitorDayCapUsd": "", "addressDayCapUsd": " 5 "}  # fmt: skip

    def path(self, tenant):
        return address(Tenant, "change", tenant.pk)

    @pytest.mark.parametrize("role", [Role.OWNER, Role.ADMIN])
    def test_owner_and_admin_change_them(self, acme, bolt, sign_in, role):
        client = sign_in(acme, role)
        assert "Acme" in client.get(address(Tenant)).content.decode()
        assert client.post(self.path(acme), self.FORM).status_code == 302
        with acting_as(acme):
            acme.refresh_from_db()
        assert acme.name == "Acme & Sons"
        assert acme.settings == {"timezone": "Asia/Tokyo", "locale": "de-AT", "allowedDomains": ["acme.example"],
                                 "retentionDays": 90, "sessionCapUsd": "0.75", "addressDayCapUsd": "5"}  # fmt: skip
        page = client.get("/admin/")
        assert "Acme &amp; Sons" in page.content.decode()
        assert str(page.context["span"].zone) == "Asia/Tokyo"
        assert client.get(self.path(bolt)).status_code == 404
        assert client.post(self.path(bolt), self.FORM).status_code == 404
        assert client.post(address(Tenant, "delete", acme.pk), {"post": "yes"}).status_code == 403

    def test_emptied_fields_are_taken_out_and_others_stay(self, acme, sign_in):
        client = sign_in(acme)
        with acting_as(acme):
            Tenant.objects.filter(pk=acme.pk).update(settings={"timezone": "Asia/Tokyo", "features": ["x"]})
        empty = {**dict.fromkeys(self.FORM, ""), "name": "Acme"}
        assert client.post(self.path(acme), empty).status_code == 302
        with acting_as(acme):
            acme.refresh_from_db()
        assert acme.settings == {"features": ["x"]}

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", " "), ("timezone", "Mars/Base"), ("timezone", "Factory"), ("locale", "no such"),
         ("retention_days", "0"), ("sessionCapUsd", "0"), ("addressDayCapUsd", "much"),
         ("retention_days", "many"), ("allowed_domains", "https://acme.example"),
         ("allowed_domains", "\n".join(f"a{n}.example" for n in range(51)))],
    )  # fmt: skip
    def test_what_is_refused_is_said_at_its_field(self, acme, sign_in, field, value):
        response = sign_in(acme).post(self.path(acme), {**self.FORM, field: value})
        assert list(response.context["adminform"].form.errors) == [field]

    def test_domains_that_leave_a_widget_outside_are_refused(self, acme, bolt, sign_in):
        for tenant in (acme, bolt):
            with acting_as(tenant):
                create_widget("Main", domain_whitelist=[f"https://{tenant.slug}.example"])
        client = sign_in(acme)
        assert client.post(self.path(acme), self.FORM).status_code == 302
        response = client.post(self.path(acme), {**self.FORM, "allowed_domains": "other.example"})
        assert "Main is shown on a website outside" in response.content.decode()
