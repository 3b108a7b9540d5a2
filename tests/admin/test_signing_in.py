"""The login page, the home page, and who meets which tenant."""

from datetime import timedelta
from decimal import Decimal

import pytest
from django.test import Client

from billing.costs.models import CostSummary
from kernel.clock import now
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import AuthSession, User
from tenants.permissions import Role
from tests import conversations
from tests.admin.conftest import PASSWORD


def test_the_page_asks_for_an_email_and_loads_nothing_from_elsewhere(client, db):
    page = client.get("/admin/login/")
    html = page.content.decode()
    assert page.status_code == 200
    assert "Email" in html
    assert 'src="http' not in html
    assert 'href="http' not in html
    for path in ("/static/unfold/css/styles.css", "/static/config/admin.css", "/static/config/admin.js"):
        assert client.get(path).status_code == 200, path


@pytest.mark.parametrize(
    ("email", "password"),
    [
        ("owner@acme.example", "wrong"),
        ("nobody@acme.example", PASSWORD),
        ("", ""),
        ("a\0b", "c"),
        ("x" * 500, "y"),
    ],
)
def test_a_wrong_login_is_told_so(acme, sign_in, email, password):
    sign_in(acme)
    response = Client().post("/admin/login/", {"username": email, "password": password})
    assert response.status_code == 200
    assert response.context["form"].errors


def test_each_person_meets_their_own_tenant(acme, bolt, sign_in):
    conversations.session(bolt)
    one, other = sign_in(acme), sign_in(bolt)
    acmes, bolts = one.get("/admin/").content.decode(), other.get("/admin/").content.decode()
    assert "Acme" in acmes
    assert "Bolt" not in acmes
    assert "Bolt" in bolts
    assert figures(other)["Open conversations"] == "1"
    assert figures(one) == {
        "Open conversations": "0", "Unanswered today": "0", "Documents ready": "0", "Documents failed": "0",
        "Spent this month": "$0.00",
    }  # fmt: skip


def figures(client):
    return {figure.label: figure.value for figure in client.get("/admin/").context["figures"]}


def test_the_months_spending_is_summed(acme, bolt, sign_in):
    for tenant, cost in ((acme, "12.345"), (bolt, "99")):
        with acting_as(tenant):
            summarise(cost, unpriced=0)
    client = sign_in(acme)
    assert figures(client)["Spent this month"] == "$12.35"
    with acting_as(acme):
        summarise("0", unpriced=1)
        summarise("50", unpriced=0, days_ago=40)
    costs = client.get("/admin/").context["figures"][-1]
    assert (costs.value, costs.note) == ("$12.35", "1 without a price")


def summarise(cost, *, unpriced, days_ago=0):
    start = now().replace(hour=0, minute=0, second=0, microsecond=0) - timedelta(days=days_ago)
    CostSummary.objects.create(
        period="day", period_start=start, period_end=start + timedelta(days=1), service="llm", provider="openai",
        model=f"model {cost}", total_cost_usd=Decimal(cost), event_count=1, unpriced_count=unpriced,
    )  # fmt: skip


def test_a_member_sees_no_money(acme, sign_in):
    assert "Spent this month" not in figures(sign_in(acme, Role.MEMBER))


def test_first_steps_go_away_once_done(acme, sign_in):
    client = sign_in(acme)
    assert [step.is_done for step in client.get("/admin/").context["steps"]] == [False, False, False]
    conversations.session(acme)
    assert [step.is_done for step in client.get("/admin/").context["steps"]] == [False, True, True]


def test_without_signing_in_every_page_is_the_login(acme):
    for path in ("/admin/", "/admin/widgets/widget/", "/admin/tenants/user/"):
        response = Client().get(path)
        assert response.status_code == 302
        assert response["Location"].startswith("/admin/login/")


def test_signing_in_again_as_somebody_else_needs_signing_out_first(acme, bolt, sign_in):
    client = sign_in(acme)
    sign_in(bolt)
    response = client.post(
        "/admin/login/", {"username": "owner@bolt.example", "password": PASSWORD}, follow=True
    )
    assert "Acme" in response.content.decode()
    assert client.post("/admin/logout/").status_code == 200
    response = client.post(
        "/admin/login/", {"username": "owner@bolt.example", "password": PASSWORD}, follow=True
    )
    assert "Bolt" in response.content.decode()


def test_a_person_who_is_deactivated_is_out_at_once_and_can_be_followed_by_another(acme, bolt, sign_in):
    client = sign_in(acme)
    sign_in(bolt)
    with acting_as(acme):
        User.objects.update(is_active=False)
    assert client.get("/admin/").status_code == 302
    form = {"username": "owner@bolt.example", "password": PASSWORD}
    client.post("/admin/login/", form)
    assert "Bolt" in client.post("/admin/login/?next=/admin/", form, follow=True).content.decode()


def test_platform_staff_meet_no_tenants_rows(acme, db):
    from django.contrib.auth.hashers import make_password

    conversations.widget(acme)
    User.objects.create(email="staff@platform.example", password=make_password(PASSWORD), role=Role.OWNER)
    client = Client()
    client.post("/admin/login/", {"username": "staff@platform.example", "password": PASSWORD})
    page = client.get("/admin/", follow=True)
    assert page.redirect_chain == [("/admin/staff/choose/", 302)]
    assert "you see nobody's data" in page.content.decode()
    (group,) = page.context["sidebar_navigation"]
    assert [item["link"] for item in group["items"]] == ["/admin/staff/choose/"]
    for path in (
        "/admin/widgets/widget/",
        "/admin/tenants/user/",
        "/admin/tenants/apikey/",
        "/admin/billing/modelprice/",
    ):
        assert client.get(path)["Location"] == "/admin/staff/choose/"


def test_signing_in_notes_when(acme, sign_in):
    sign_in(acme)
    with acting_as(acme):
        assert User.objects.get().last_login is not None


def test_a_change_of_password_ends_the_other_sessions(acme, sign_in):
    client = sign_in(acme)
    other = Client()
    other.post("/admin/login/", {"username": "owner@acme.example", "password": PASSWORD})
    assert other.get("/admin/").status_code == 200
    form = {
        "old_password": PASSWORD,
        "new_password1": "another long one",
        "new_password2": "another long one",
    }
    assert client.post("/admin/password_change/", form).status_code == 302
    assert client.get("/admin/").status_code == 200
    assert other.get("/admin/").status_code == 302
    with acting_as(acme):
        assert AuthSession.objects.count() >= 1


def test_a_session_opens_the_api_with_csrf(acme, bolt, sign_in):
    with acting_as(bolt):
        create_user("x@bolt.example", PASSWORD)
    conversations.widget(bolt)
    sign_in(acme)
    client = Client(enforce_csrf_checks=True)
    page = client.get("/admin/login/")
    form = {
        "username": "owner@acme.example",
        "password": PASSWORD,
        "csrfmiddlewaretoken": page.context["csrf_token"],
    }
    assert client.post("/admin/login/", form).status_code == 302
    assert client.get("/api/v1/widgets/").json() == {"results": [], "next": None}
    refused = client.post("/api/v1/widgets/", {"name": "a"}, content_type="application/json")
    assert (refused.status_code, refused["Content-Type"]) == (403, "application/problem+json")
    token = client.cookies["csrftoken"].value
    made = client.post(
        "/api/v1/widgets/", {"name": "a"}, content_type="application/json", headers={"X-CSRFToken": token}
    )
    assert made.status_code == 201


def test_a_members_session_has_a_members_scopes(acme, sign_in):
    client = sign_in(acme, Role.MEMBER)
    assert client.get("/api/v1/sessions/").status_code == 200
    assert client.get("/api/v1/api-keys/").json()["code"] == "missing_scope"
