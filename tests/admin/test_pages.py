"""Every page of the admin, as people of two tenants."""

import re
from decimal import Decimal

import pytest
from django.contrib.admin.models import LogEntry

from billing.costs.ledger import NewCostEvent, record
from billing.costs.models import Budget, CostEvent, ModelPrice
from config.admin_site import site
from kernel.ids import uuid7
from knowledge.documents import save_document
from knowledge.models import Document
from tenants.authentication import authenticate_api_key, issue_api_key
from tenants.context import acting_as
from tenants.models import ApiKey, User
from tenants.permissions import Role
from tests import conversations
from widgets.editing import create_widget
from widgets.models import Message, Personality, Session, Widget
from widgets.personalities import create_personality

MEMBERS = {
    "knowledge.document",
    "widgets.session",
    "widgets.message",
    "widgets.widget",
    "widgets.personality",
}


def fill(tenant):
    """One row of everything the admin shows, marked with the tenant's name."""
    session = conversations.session(tenant, metadata={"page": f"https://{tenant.slug}.example/pricing"})
    with acting_as(tenant):
        create_personality(f"{tenant.slug} voice")
        create_widget(f"{tenant.slug} widget", domain_whitelist=[f"https://{tenant.slug}.example"])
        save_document(title=f"{tenant.slug} handbook", content=f"# All of {tenant.slug}\n\nWords.")
        message = Message.objects.create(
            session=session, seq=1, role="assistant", content=f"{tenant.slug} answer <script>alert(1)</script>",
            citations=[{"document_id": str(uuid7()), "chunk_id": str(uuid7()), "title": f"{tenant.slug} source",
                        "url": None, "quote": "Words."}],
        )  # fmt: skip
        Session.objects.filter(pk=session.pk).update(last_seq=1)
        record(
            [NewCostEvent(service="llm", provider="openai", model=f"{tenant.slug}-model", feature="answer", usage=None,
                          units=None, session_id=session.pk, message_id=message.pk, latency_ms=5,
                          idempotency_key=f"{tenant.slug}-1", metadata={}, estimated=False, cost_usd=Decimal("0.0012"),
                          user_ref="", trace_id="")]
        )  # fmt: skip
        message_of = f"{tenant.slug} budget"
        Budget.objects.create(limit_usd=1000, warn_at=[Decimal("0.8")], custom_message=message_of)
        issue_api_key(f"{tenant.slug} key", ["read"])
    return session


@pytest.fixture
def filled(acme, bolt):
    return fill(acme), fill(bolt)


def label(model):
    return f"{model._meta.app_label}.{model._meta.model_name}"


def address(model, page="changelist", *args):
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return path if page == "changelist" else f"{path}{page}/" if page == "add" else f"{path}{args[0]}/{page}/"


PAGES = sorted(site._registry, key=label)


@pytest.mark.parametrize("model", PAGES, ids=label)
def test_lists_and_details_show_ones_own_rows_only(model, filled, acme, bolt, sign_in):
    client = sign_in(acme)
    with acting_as(bolt):
        foreign = model.objects.order_by("pk").last()
    with acting_as(acme):
        own = model.objects.order_by("pk").last()
    page = client.get(address(model))
    assert page.status_code == 200
    assert "bolt" not in page.content.decode()
    if own is not None:
        assert str(own.pk) in page.content.decode()
        detail = client.get(address(model, "change", own.pk))
        assert detail.status_code == 200
        assert "bolt" not in detail.content.decode()
        assert "<script>alert(1)" not in detail.content.decode()
    if foreign is not None and model is not ModelPrice:
        for verb in ("change", "delete"):
            response = client.get(address(model, verb, foreign.pk))
            assert response.status_code in {302, 403}, verb
            if response.status_code == 302:
                assert response["Location"] == "/admin/"
        client.post(address(model, "change", foreign.pk), {"name": "stolen"})
        client.post(address(model, "delete", foreign.pk), {"post": "yes"})
        with acting_as(bolt):
            assert model.objects.filter(pk=foreign.pk).exists()


@pytest.mark.parametrize("model", PAGES, ids=label)
def test_a_member_meets_only_what_is_a_members(model, filled, acme, sign_in):
    client = sign_in(acme, Role.MEMBER)
    expected = 200 if label(model) in MEMBERS else 403
    assert client.get(address(model)).status_code == expected
    assert (address(model) in client.get("/admin/").content.decode()) is (expected == 200)


@pytest.mark.parametrize("model", PAGES, ids=label)
def test_an_empty_list_says_what_to_do_next(model, acme, sign_in):
    client = sign_in(acme)
    if model in (User, ModelPrice):
        return
    page = client.get(address(model)).content.decode()
    assert f"No {model._meta.verbose_name_plural} yet" in page
    assert site.get_model_admin(model).empty_state
    assert client.get(address(model) + "?q=nothing").status_code == 200


@pytest.mark.parametrize(
    "query", ["?p=9999", "?p=x", "?q=%00", "?status__exact=nonsense", "?o=99", "?widget__id__exact=1"]
)
def test_a_strange_query_is_no_server_error(query, filled, acme, sign_in):
    client = sign_in(acme)
    for model in PAGES:
        assert client.get(address(model) + query, follow=True).status_code < 500


def test_an_id_that_is_none_goes_home(acme, sign_in):
    client = sign_in(acme)
    for model in PAGES:
        assert client.get(address(model, "change", "nonsense")).status_code in {302, 403}


def test_choices_list_ones_own_rows_only(filled, acme, sign_in):
    page = sign_in(acme).get("/admin/widgets/widget/add/").content.decode()
    assert "acme voice" in page
    assert "bolt voice" not in page


def test_another_tenants_row_cannot_be_chosen(filled, acme, bolt, sign_in):
    client = sign_in(acme)
    with acting_as(bolt):
        foreign = Personality.objects.get()
    response = client.post("/admin/widgets/widget/add/", {**WIDGET, "personality": str(foreign.pk)})
    assert response.status_code == 200
    assert "personality" in response.context["adminform"].form.errors


WIDGET = {
    "name": "New", "is_active": "on", "domain_whitelist": "https://acme.example\nhttps://*.acme.example",
    "personality": "",
    "collections": "", "theme": "dark", "position": "bottom-left", "greeting": "Hello", "primaryColor": "#112233",
    "secondaryColor": "#445566", "launcherLabel": "", "starterQuestions": "One?\nTwo?", "locale": "",
    "offlineMessage": "",
    "privacyUrl": "",
}  # fmt: skip


class TestWidgets:
    def test_make_change_and_delete(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/widgets/widget/add/", WIDGET).status_code == 302
        with acting_as(acme):
            widget = Widget.objects.get()
            assert widget.domain_whitelist == ["https://acme.example", "https://*.acme.example"]
            assert widget.settings["starterQuestions"] == ["One?", "Two?"]
        path = address(Widget, "change", widget.pk)
        page = client.get(path).content.decode()
        assert f"/widget/v1.js?w={widget.public_key}" in page
        assert "&lt;script src=" in page
        assert client.post(path, {**WIDGET, "name": "Renamed", "greeting": ""}).status_code == 302
        with acting_as(acme):
            widget.refresh_from_db()
        assert (widget.name, widget.settings["greeting"]) == ("Renamed", "")
        assert client.get(address(Widget, "delete", widget.pk)).status_code == 200
        assert client.post(address(Widget, "delete", widget.pk), {"post": "yes"}).status_code == 302
        with acting_as(acme):
            assert not Widget.objects.exists()

    @pytest.mark.parametrize(
        ("field", "value"),
        [("name", ""), ("domain_whitelist", "acme.com"), ("primaryColor", "red"), ("starterQuestions", "a\n" * 7),
         ("privacyUrl", "javascript:alert(1)"), ("theme", "pink"), ("locale", "no such")],
    )  # fmt: skip
    def test_what_is_refused_is_said_at_its_field(self, acme, sign_in, field, value):
        response = sign_in(acme).post("/admin/widgets/widget/add/", {**WIDGET, field: value})
        assert response.status_code == 200
        assert list(response.context["adminform"].form.errors) == [field]
        with acting_as(acme):
            assert not Widget.objects.exists()

    def test_one_with_conversations_stays_and_says_why(self, filled, acme, sign_in):
        session, _ = filled
        response = sign_in(acme).post(
            address(Widget, "delete", session.widget_id), {"post": "yes"}, follow=True
        )
        assert "has conversations" in response.content.decode()
        with acting_as(acme):
            assert Widget.objects.filter(pk=session.widget_id).exists()


class TestPersonalities:
    FORM = {"name": "Kind", "description": "", "system_prompt": "Be kind.", "temperature": "0.5", "max_tokens": "500",
            "top_p": "1", "frequency_penalty": "0", "presence_penalty": "0", "preferred_model": "",
            "is_active": "on"}  # fmt: skip

    def test_each_save_is_a_version_and_the_default_stays(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/widgets/personality/add/", self.FORM).status_code == 302
        with acting_as(acme):
            personality = Personality.objects.get()
        assert personality.is_default
        path = address(Personality, "change", personality.pk)
        changed = client.post(path, {**self.FORM, "is_default": "on", "system_prompt": "Be kinder."})
        assert changed.status_code == 302
        assert "Version 2" in client.get(path).content.decode()
        refused = client.post(path, self.FORM)
        assert "make another one the default" in refused.content.decode()
        refused = client.post(path, {**self.FORM, "is_default": "on", "temperature": "3"})
        assert "temperature" in refused.context["adminform"].form.errors
        deleted = client.post(address(Personality, "delete", personality.pk), {"post": "yes"}, follow=True)
        assert "cannot be deleted" in deleted.content.decode()


class TestDocuments:
    FORM = {"title": "Guide", "content": "# Guide\n\nPress the button.", "category": "help", "collection": "",
            "url": "https://acme.example/guide", "external_id": ""}  # fmt: skip

    def test_make_change_and_delete(self, acme, sign_in):
        client = sign_in(acme, Role.MEMBER)
        assert client.post("/admin/knowledge/document/add/", self.FORM).status_code == 302
        with acting_as(acme):
            document = Document.objects.get()
        assert (document.url, document.latest) == ("https://acme.example/guide", 1)
        path = address(Document, "change", document.pk)
        assert "Press the button." in client.get(path).content.decode()
        assert client.post(path, {**self.FORM, "content": "Press it twice."}).status_code == 302
        with acting_as(acme):
            assert Document.objects.get().latest == 2
        assert client.post(address(Document, "delete", document.pk), {"post": "yes"}).status_code == 302
        assert "No documents yet" in client.get(address(Document)).content.decode()

    def test_one_without_a_text_is_refused(self, acme, sign_in):
        response = sign_in(acme).post("/admin/knowledge/document/add/", {**self.FORM, "content": ""})
        assert list(response.context["adminform"].form.errors) == ["content"]


class TestConversations:
    def test_the_transcript_shows_sources_and_costs(self, filled, acme, sign_in):
        session, _ = filled
        page = sign_in(acme).get(address(Session, "change", session.pk)).content.decode()
        assert "acme answer &lt;script&gt;alert(1)" in page
        assert "acme source" in page
        assert "$0.0012" in page
        assert "acme-model" in page

    def test_nothing_recorded_can_be_added_changed_or_deleted(self, filled, acme, sign_in):
        client = sign_in(acme)
        session, _ = filled
        for model in (Session, Message, CostEvent, ModelPrice):
            assert client.get(address(model, "add")).status_code == 403
        assert client.post(address(Session, "delete", session.pk), {"post": "yes"}).status_code == 403
        assert client.post(address(Session, "change", session.pk), {"status": "ended"}).status_code == 403


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
        assert client.post(address(ApiKey, "delete", key.id), {"post": "yes"}).status_code == 302
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


class TestBudgets:
    FORM = {"period": "monthly", "limit_usd": "250", "hard_cap": "on", "fallback_price_usd": "", "degrade": "",
            "warn_at": "0.5\n0.8", "recipients": "a@acme.example", "custom_message": ""}  # fmt: skip

    def test_an_owner_makes_and_changes_one(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/billing/budget/add/", self.FORM).status_code == 302
        with acting_as(acme):
            budget = Budget.objects.get()
        assert (budget.limit_usd, budget.warn_at) == (250, [Decimal("0.5"), Decimal("0.8")])
        changed = client.post(address(Budget, "change", budget.pk), {**self.FORM, "limit_usd": "300"})
        assert changed.status_code == 302
        assert "$300" in client.get(address(Budget)).content.decode()

    @pytest.mark.parametrize(
        ("field", "value"), [("limit_usd", "-1"), ("warn_at", "half"), ("recipients", "me")]
    )
    def test_what_is_refused(self, acme, sign_in, field, value):
        response = sign_in(acme).post("/admin/billing/budget/add/", {**self.FORM, field: value})
        assert response.status_code == 200
        assert response.context["adminform"].form.errors

    def test_an_admin_only_reads(self, filled, acme, sign_in):
        client = sign_in(acme, Role.ADMIN)
        assert client.get(address(Budget)).status_code == 200
        assert client.get("/admin/billing/budget/add/").status_code == 403


def test_djangos_own_log_stays_empty(acme, sign_in):
    client = sign_in(acme)
    client.post("/admin/widgets/widget/add/", WIDGET)
    assert not LogEntry.objects.exists()
