"""Platform staff act for a tenant: chosen, seen, limited, recorded; and nobody else's rows are there."""

from datetime import timedelta
from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client
from django.utils import timezone

from tenants import visiting
from tenants.context import acting_as
from tenants.creating import create_staff
from tenants.models import ApiKey, AuditEntry, AuthSession, DueWork, Tenant, TenantStatus, User
from tenants.permissions import Role, may, staff_may
from tenants.staffing import disable_staff
from tests.admin.conftest import PASSWORD, sign_in  # noqa: F401 - the fixture
from tests.admin.rows import address, fill
from widgets.models import Session, Widget

pytestmark = pytest.mark.django_db

EMAIL = "grace@platform.example"
CHOOSE = "/admin/staff/choose/"
LEAVE = "/admin/staff/leave/"
WHY = "Ticket 4711: their widget does not load"
WIDGETS = address(Widget)


@pytest.fixture
def grace(redis, acme, bolt):
    """A client signed in as one of the platform's staff, who has chosen nobody yet."""
    fill(acme), fill(bolt)
    create_staff(EMAIL, PASSWORD, name="Grace Hopper")
    return signed_in()


def signed_in():
    client = Client(REMOTE_ADDR="192.0.2.77")
    assert client.post("/admin/login/", {"username": EMAIL, "password": PASSWORD}).status_code == 302
    return client


def act_for(client, tenant, *, writes=False, reason=WHY):
    return client.post(CHOOSE, {"tenant": str(tenant.pk), "reason": reason, "writes": "1" if writes else "0"})


def told(tenant, **wanted):
    with acting_as(tenant):
        return list(AuditEntry.objects.filter(target_kind="staff_visit", **wanted).order_by("id"))


def is_outside(client):
    response = client.get(WIDGETS)
    return response.status_code == 302 and response["Location"] == CHOOSE


class TestChoosing:
    def test_before_it_nobodys_data_is_there(self, grace, acme):
        assert is_outside(grace)
        assert grace.get("/admin/")["Location"] == CHOOSE
        page = grace.get(CHOOSE)
        (group,) = page.context["sidebar_navigation"]
        assert [item["link"] for item in group["items"]] == [CHOOSE]
        assert "acme" not in page.content.decode().lower()
        assert grace.get("/api/v1/widgets/").status_code == 401

    @pytest.mark.parametrize(
        ("asked", "is_found"),
        [("acm", True), ("ACME", True), ("a", False), ("%%", False), ("bol", False), ("\0", False)],
    )
    def test_the_search_finds_by_name_and_slug(self, grace, acme, asked, is_found):
        assert (str(acme.pk) in grace.get(CHOOSE, {"q": asked}).content.decode()) is is_found

    def test_the_look_up_tells_nothing_to_who_acts_for_a_tenant(self, acme, bolt):
        assert [company.slug for company in visiting.search("bolt")] == ["bolt"]
        with acting_as(acme):
            assert visiting.search("bolt") == []
        with acting_as(bolt):
            bolt.status = TenantStatus.SUSPENDED
            bolt.save()
        assert visiting.search("bolt") == []

    @pytest.mark.parametrize("reason", ["", "  no ", "x" * 301])
    def test_it_wants_a_reason(self, grace, acme, reason):
        assert "say why" in act_for(grace, acme, reason=reason).content.decode() or is_outside(grace)
        assert is_outside(grace)
        assert told(acme) == []

    @pytest.mark.parametrize("tenant", ["", "nonsense", "01970000-0000-7000-8000-000000000001"])
    def test_a_company_that_is_none_is_refused(self, grace, tenant):
        assert grace.post(CHOOSE, {"tenant": tenant, "reason": WHY}).status_code == 200
        assert is_outside(grace)

    def test_a_tenants_person_has_no_choice(self, acme, bolt, redis, sign_in):  # noqa: F811 - the fixture
        client = sign_in(acme)
        assert client.get(CHOOSE).status_code == 403
        assert client.post(CHOOSE, {"tenant": str(bolt.pk), "reason": WHY}).status_code == 403
        assert client.post(LEAVE).status_code == 403
        assert told(bolt) == []


class TestActing:
    def test_it_shows_that_tenants_rows_and_nobody_elses(self, grace, acme, bolt):
        assert act_for(grace, acme)["Location"] == "/admin/"
        page = grace.get(WIDGETS).content.decode()
        assert "acme widget" in page
        assert "bolt" not in page
        with acting_as(bolt):
            theirs = [Widget.objects.order_by("-pk").first(), Session.objects.first(), ApiKey.objects.first()]
        for row in theirs:
            assert grace.get(address(type(row), "change", row.pk)).status_code == 404
        assert grace.get("/api/v1/widgets/").status_code == 401

    def test_every_page_says_whose_tenant_it_is(self, grace, acme):
        act_for(grace, acme)
        for path in ("/admin/", WIDGETS, address(Session), "/admin/costs/", "/admin/your/sessions/", CHOOSE):
            page = grace.get(path).content.decode()
            assert "you act for <b>Acme</b>" in page, path
            assert "looking only" in page
            assert "Ticket 4711" in page

    def test_looking_changes_nothing(self, grace, acme):
        act_for(grace, acme)
        with acting_as(acme):
            before = AuditEntry.objects.count()
            widget = Widget.objects.order_by("-pk").first()
        for path, form in (
            (address(Tenant, "change", acme.pk), {"name": "Stolen"}),
            (address(Widget, "change", widget.pk), {"name": "Stolen"}),
            (address(Widget, "add"), {"name": "New"}),
        ):
            assert grace.post(path, form).status_code == 403
        with acting_as(acme):
            assert AuditEntry.objects.count() == before

    def test_what_is_changed_is_recorded_with_the_staff_persons_name(self, grace, acme, sign_in):  # noqa: F811 - the fixture
        act_for(grace, acme, writes=True)
        form = {"name": "Acme Ltd", "timezone": "", "locale": "", "allowed_domains": "", "retention_days": ""}
        assert grace.post(address(Tenant, "change", acme.pk), form).status_code == 302
        with acting_as(acme):
            entry = AuditEntry.objects.get(target_kind="account", action="changed")
            staff = entry.actor_id
        assert (entry.actor_kind, entry.actor_text, entry.ip) == ("staff", "Grace Hopper", "192.0.2.77")
        assert staff == str(User.objects.get(email=EMAIL).pk)
        page = sign_in(acme).get(address(AuditEntry) + "?who=staff").content.decode()
        assert "Grace Hopper" in page
        assert "platform staff" in page

    def test_people_keys_money_and_deletion_stay_theirs(self, grace, acme):
        act_for(grace, acme, writes=True)
        with acting_as(acme):
            session, key, widget = Session.objects.first(), ApiKey.objects.first(), Widget.objects.first()
        for path in (
            "/admin/tenants/user/add/", "/admin/tenants/apikey/add/", "/admin/tenants/invitation/add/",
            "/admin/tenants/invitation/", "/admin/billing/budget/add/", f"{address(ApiKey)}{key.pk}/rotate/",
            f"{address(ApiKey)}{key.pk}/revoke/", address(Widget, "delete", widget.pk),
            f"{address(Session)}{session.pk}/do/take-over/", f"{address(Session)}{session.pk}/do/reply/",
        ):  # fmt: skip
            assert grace.post(path, {"content": "Hi", "post": "yes", "overlap": "0"}).status_code == 403, path
        assert "Take over" not in grace.get(address(Session, "change", session.pk)).content.decode()

    def test_beginning_and_end_stand_in_the_tenants_own_record(self, grace, acme, bolt):
        act_for(grace, acme, writes=True)
        assert grace.post(LEAVE)["Location"] == CHOOSE
        assert is_outside(grace)
        began, ended = told(acme)
        assert (began.action, began.actor_kind, began.actor_text, began.target_text, began.ip) == (
            "began", "staff", "Grace Hopper", WHY, "192.0.2.77",
        )  # fmt: skip
        assert began.after["reason"] == WHY
        assert began.after["may change things"] is True
        assert (ended.action, ended.after, ended.target_id) == (
            "ended",
            {"how": "they left"},
            began.target_id,
        )
        assert told(bolt) == []

    def test_another_choice_ends_the_first(self, grace, acme, bolt):
        act_for(grace, acme)
        act_for(grace, bolt)
        assert [entry.action for entry in told(acme)] == ["began", "ended"]
        assert [entry.action for entry in told(bolt)] == ["began"]
        assert "bolt widget" in grace.get(WIDGETS).content.decode()

    def test_a_tenant_that_requires_a_second_factor_lets_staff_look(self, grace, acme):
        with acting_as(acme):
            acme.settings = {"secondFactor": "required"}
            acme.save()
        act_for(grace, acme)
        assert grace.get(WIDGETS).status_code == 200


class TestEnding:
    def later(self, monkeypatch, minutes):
        moment = timezone.now() + timedelta(minutes=minutes)
        monkeypatch.setattr(visiting, "now", lambda: moment)

    def test_time_runs_out(self, grace, acme, monkeypatch):
        act_for(grace, acme)
        self.later(monkeypatch, 59)
        assert grace.get(WIDGETS).status_code == 200
        self.later(monkeypatch, 61)
        assert is_outside(grace)
        assert told(acme)[-1].after == {"how": "its time ran out"}
        assert visiting.end_overdue() == 0

    def test_the_end_is_recorded_where_the_browser_never_comes_back(self, grace, acme, bolt, monkeypatch):
        act_for(grace, acme)
        assert visiting.end_overdue() == 0
        self.later(monkeypatch, 61)
        assert visiting.end_overdue() == 1
        assert visiting.end_overdue() == 0
        began, ended = told(acme)
        assert (ended.actor_kind, ended.actor_text, ended.target_id) == (
            "staff",
            "Grace Hopper",
            began.target_id,
        )
        assert told(bolt) == []

    def test_who_is_disabled_is_out_at_once(self, grace, acme):
        act_for(grace, acme)
        assert disable_staff(EMAIL) == 1
        assert grace.get(WIDGETS)["Location"].startswith("/admin/login/")
        assert told(acme)[-1].action == "ended"
        with acting_as(acme):
            assert not DueWork.objects.filter(kind=visiting.WORK).exists()

    def test_who_was_made_inactive_by_another_way_is_out_too(self, grace, acme):
        act_for(grace, acme)
        User.objects.filter(email=EMAIL).update(is_active=False)
        assert grace.get(WIDGETS).status_code == 302
        assert told(acme)[-1].after == {"how": "their session ended"}
        User.objects.filter(email=EMAIL).update(is_active=True)
        assert is_outside(grace)

    def test_a_change_of_password_ends_the_visits_of_other_browsers(self, grace, acme):
        act_for(grace, acme)
        other = signed_in()
        form = {
            "old_password": PASSWORD,
            "new_password1": "another long one",
            "new_password2": "another long one",
        }
        assert other.post("/admin/password_change/", form).status_code == 302
        assert grace.get(WIDGETS)["Location"].startswith("/admin/login/")
        assert told(acme)[-1].action == "ended"

    def test_signing_out_ends_it_and_the_session(self, grace, acme):
        act_for(grace, acme)
        grace.post("/admin/logout/")
        assert told(acme)[-1].after == {"how": "they signed out"}
        assert not AuthSession.objects.exists()
        assert grace.get(WIDGETS)["Location"].startswith("/admin/login/")

    def test_a_tenant_that_is_suspended_is_left_at_once(self, grace, acme):
        act_for(grace, acme)
        with acting_as(acme):
            acme.status = TenantStatus.SUSPENDED
            acme.save()
        assert is_outside(grace)
        assert told(acme)[-1].after == {"how": "the company was suspended"}

    def test_a_session_cannot_be_made_to_visit_by_somebody_else(self, grace, acme, bolt, redis, sign_in):  # noqa: F811 - the fixture
        act_for(grace, acme)
        kept = dict(grace.session)[visiting.KEY]
        client = sign_in(bolt)
        session = client.session
        session[visiting.KEY] = kept
        session.save()
        assert "acme" not in client.get(WIDGETS, follow=True).content.decode()


@pytest.mark.parametrize(
    "permission", ["widgets.view_widget", "tenants.view_apikey", "billing.view_costevent"]
)
def test_staff_may_see_what_an_admin_sees(permission):
    assert staff_may(permission, writes=False)
    assert may(Role.ADMIN, permission)


def test_staff_may_never_do_what_an_admin_may_not():
    for action in ("view", "add", "change", "delete"):
        for model in (
            "tenants.tenant",
            "billing.budget",
            "tenants.auditentry",
            "widgets.widget",
            "tenants.user",
        ):
            app, _, name = model.partition(".")
            permission = f"{app}.{action}_{name}"
            for writes in (True, False):
                assert not staff_may(permission, writes=writes) or may(Role.ADMIN, permission)
            assert not staff_may(permission, writes=False) or action == "view"
            assert action != "delete" or not staff_may(permission, writes=True)


def test_the_command_disables(grace, acme):
    act_for(grace, acme)
    out = StringIO()
    call_command("disable_staff", EMAIL.upper(), stdout=out)
    assert "sessions ended: 1" in out.getvalue()
    assert grace.get(WIDGETS)["Location"].startswith("/admin/login/")
    with pytest.raises(CommandError):
        call_command("disable_staff", "nobody@platform.example")
