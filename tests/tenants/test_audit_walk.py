"""Every door by which somebody changes something leaves an entry with their name: walked, and a new one that is not
walked fails here."""

import re

import pyotp
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from billing.costs.models import Budget
from config.admin_site import site
from config.api import document
from config.describing import operations
from config.isolation import doors
from knowledge.models import Document, DocumentStatus
from tenants.context import TenantRef, acting_as
from tenants.exporting import ordering
from tenants.models import (
    ApiKey,
    AuditEntry,
    Export,
    Invitation,
    ProviderKey,
    Tenant,
    User,
    WebhookDelivery,
    WebhookEndpoint,
)
from tests import cast, conversations
from tests.admin import test_account, test_costs, test_documents, test_widgets
from tests.admin.rows import address
from tests.config import api_story
from widgets.models import Personality, Session, Widget

pytestmark = pytest.mark.django_db(transaction=True)

PASSWORD = "a long enough password"
SECRET = "sk-a-key-that-nobody-may-see"
CHANGED = "another long enough one"
# Operations that change something and leave no entry, each with the reason.
RECORDED_OTHERWISE = {
    "answers_create": "asks, and changes nothing",
    "search": "asks, and changes nothing",
    "cost_events_create": "the ledger only grows; each event has its program's own idempotency key",
    "messages_create": "the transcript only grows; each message names its author",
}
# Pages of the admin that take a POST and change nothing, each with the reason.
CHANGE_NOTHING = {
    "admin/search-bench/": "asks",
    "admin/widgets/personality/ask/": "asks",
    "admin/widgets/widget/preview/": "shows",
    "admin/staff/choose/": "for platform staff alone; beginning is recorded (tests/tenants/test_visiting.py)",
    "admin/staff/leave/": "for platform staff alone; the end is recorded (tests/tenants/test_visiting.py)",
    "admin/your/email/": "sends a link; opening it is recorded (tests/tenants/test_changing_email.py)",
}
# Pages that only show; the answer to a POST is a refusal or the page.
ONLY_SHOW = {
    "admin/", "admin/costs/", "admin/search/", "admin/password_change/done/", "admin/autocomplete/", "admin/jsi18n/",
    "admin/r/<path:content_type_id>/<path:object_id>/", "admin/widgets/widget/preview.js",
    "admin/knowledge/document/progress/", "admin/^(?P<app_label>tenants|widgets|knowledge|billing|meetings)/$",
    "admin/(?P<url>.*)$",
}  # fmt: skip

GUIDE = test_documents.TestDocuments.FORM


class Recorded:
    """What was recorded for a tenant since one last looked."""

    def __init__(self, tenant):
        self.tenant, self.seen = tenant, set()
        self.news()

    def news(self):
        with acting_as(self.tenant):
            fresh = [entry for entry in AuditEntry.objects.all() if entry.pk not in self.seen]
        self.seen |= {entry.pk for entry in fresh}
        return fresh


def test_every_operation_of_the_api_leaves_an_entry_with_its_key(client, acme, bolt, redis, monkeypatch):
    found, recorded = {}, Recorded(acme)
    call = api_story.Story.call

    def watched(self, operation, method, path, *rest, **options):
        recorded.news()
        answer = call(self, operation, method, path, *rest, **options)
        found.setdefault(operation, [(entry.actor_kind, entry.actor_text) for entry in recorded.news()])
        return answer

    monkeypatch.setattr(api_story.Story, "call", watched)
    api_story.told(client, acme)
    changing = [
        operation["operationId"]
        for path in document()["paths"].values()
        for method, operation in path.items()
        if method in ("post", "patch", "put", "delete")
    ]
    assert len(changing) >= 30
    for operation in changing:
        by = set(found[operation])
        if operation in RECORDED_OTHERWISE:
            assert not by, f"{operation} is recorded after all: take it off the list"
            continue
        assert by, f"{operation} changes something and leaves no entry"
        assert {kind for kind, _ in by} == {"key"}, f"{operation}: {by}"
        assert all("fd_sk_" in text for _, text in by), f"{operation}: {by}"
    for operation in operations(document()):
        if operation["operationId"] not in changing:
            assert not found.get(operation["operationId"]), (
                f"{operation['operationId']} reads, and was recorded"
            )
    with acting_as(bolt):
        assert not AuditEntry.objects.filter(actor_kind="key").exists()


class Walk:
    """An owner who does everything that the admin lets them, and what was recorded of each deed."""

    def __init__(self, client, tenant):
        self.client, self.tenant = client, tenant
        self.recorded, self.done = Recorded(tenant), set()
        with acting_as(tenant):
            self.me = User.objects.get(role="owner")

    def post(self, path, data=None):
        """A deed that must leave entries, all of them this owner's."""
        self.recorded.news()
        response = self.client.post(path, data or {}, REMOTE_ADDR="192.0.2.44")
        assert response.status_code in (200, 201, 302), f"{path}: {response.status_code}"
        entries = self.recorded.news()
        assert entries, f"{path} left no entry: {response.content[:2000]!r}"
        for entry in entries:
            assert (entry.actor_kind, entry.actor_id) == ("user", str(self.me.pk)), f"{path}: {entry}"
            assert entry.ip == "192.0.2.44"
        self.done.add(route_of(path))
        return response

    def newest(self, model):
        with acting_as(self.tenant):
            return model.objects.order_by("-pk").first()


def route_of(path):
    """The pattern behind an address."""
    for route in doors.admin_pages():
        pattern = re.sub(r"<(\w+):\w+>", lambda kind: "[^/]+", route)
        if not re.search(r"[\\^$?(]", route) and re.fullmatch(pattern, path.lstrip("/")):
            return route
    raise AssertionError(f"no page of the admin is at {path}")


def changing_pages(walk):
    """Every page of the admin by which an owner may change something."""
    request = type("Request", (), {"user": walk.me, "GET": {}, "method": "GET"})()
    allowed = {}
    with acting_as(walk.tenant):
        for model, page in site._registry.items():
            base = f"admin/{model._meta.app_label}/{model._meta.model_name}/"
            allowed |= {
                base: bool(page.actions),
                f"{base}add/": page.has_add_permission(request),
                f"{base}<path:object_id>/change/": page.has_change_permission(request),
                f"{base}<path:object_id>/delete/": page.has_delete_permission(request),
                f"{base}<path:object_id>/history/": False,
                f"{base}<path:object_id>/": False,
            }
    for route in doors.admin_pages():
        if route not in ONLY_SHOW and route not in CHANGE_NOTHING and allowed.get(route, True):
            yield route


def test_every_page_of_the_admin_leaves_an_entry_with_its_person(acme, bolt, redis):
    cast.person(acme, "owner@acme.example", name="Olive")
    walk = Walk(Client(), acme)
    walk.post("/admin/login/", {"username": "owner@acme.example", "password": PASSWORD})
    team(walk)
    account(walk)
    knowledge(walk)
    widgets(walk)
    conversation(walk)
    money(walk)
    export(walk)
    oneself(walk)
    walk.post("/admin/close-account/", {"slug": "acme", "password": CHANGED})
    missing = set(changing_pages(walk)) - walk.done
    assert missing == set(), "a page by which something is changed, and nobody walked it"
    assert len(walk.done) >= 30
    with acting_as(acme):
        told = str(list(AuditEntry.objects.values_list("before", "after", "target_text", "actor_text")))
        hashes = [
            *User.objects.values_list("password", flat=True),
            *ApiKey.objects.values_list("key_hash", flat=True),
        ]
    for secret in (PASSWORD, CHANGED, SECRET, *hashes):
        assert secret not in told
    with acting_as(bolt):
        assert not AuditEntry.objects.filter(actor_kind="user").exists()


def team(walk):
    walk.post(address(Invitation, "add"), {"email": "new@acme.example", "name": "New", "role": "member"})
    invitation = walk.newest(Invitation)
    walk.post(f"{address(Invitation)}{invitation.pk}/resend/")
    walk.post(f"{address(Invitation)}{invitation.pk}/cancel/")
    person = {"email": "ada@acme.example", "name": "Ada", "role": "member", "password": PASSWORD}
    walk.post(address(User, "add"), person)
    ada = walk.newest(User)
    walk.post(address(User, "change", ada.pk), {"name": "Ada L.", "role": "admin", "is_active": "on"})
    theirs = Client()
    theirs.post("/admin/login/", {"username": ada.email, "password": PASSWORD})
    walk.post(f"{address(User)}{ada.pk}/sign-out/")
    theirs.post("/admin/login/", {"username": ada.email, "password": PASSWORD})
    theirs.post("/admin/your/second-factor/", {"step": "begin", "password": PASSWORD})
    walk.post(f"{address(User)}{ada.pk}/second-factor-off/")


def account(walk):
    walk.post(address(Tenant, "change", walk.tenant.pk), test_account.TestSettings.FORM)
    walk.post(address(ApiKey, "add"), {"name": "Worker", "scopes": ["knowledge:write"]})
    key = walk.newest(ApiKey)
    walk.post(address(ApiKey, "change", key.pk), {"name": "Phone worker"})
    walk.post(f"{address(ApiKey)}{key.pk}/rotate/", {"overlap": "1"})
    walk.post(f"{address(ApiKey)}{key.pk}/revoke/")
    walk.post(address(ProviderKey, "add"), {"provider": "openai", "key": SECRET})
    theirs = walk.newest(ProviderKey)
    walk.post(address(ProviderKey, "change", theirs.pk), {"key": f"{SECRET}2"})
    walk.post(address(ProviderKey, "delete", theirs.pk), {"post": "yes"})
    hook = {"url": "https://acme.example/hook", "is_active": "on"}
    walk.post(address(WebhookEndpoint, "add"), hook)
    endpoint = walk.newest(WebhookEndpoint)
    walk.post(address(WebhookEndpoint, "change", endpoint.pk), {**hook, "description": "Desk"})
    walk.post(f"{address(WebhookEndpoint)}{endpoint.pk}/rotate/", {"overlap": "1"})
    walk.post(f"{address(WebhookEndpoint)}{endpoint.pk}/test/")
    walk.post(f"{address(WebhookEndpoint)}{endpoint.pk}/replay/", {"since": "1"})
    walk.post(f"{address(WebhookDelivery)}{walk.newest(WebhookDelivery).pk}/again/")
    walk.post(address(WebhookEndpoint, "delete", endpoint.pk), {"post": "yes"})


def knowledge(walk):
    walk.post(address(Document, "add"), GUIDE)
    guide = walk.newest(Document)
    walk.post(
        address(Document, "change", guide.pk),
        {**GUIDE, "content": "Press it twice."},
    )
    walk.post(address(Document, "delete", guide.pk), {"post": "yes"})
    walk.post(f"{address(Document)}{guide.pk}/do/restore/")
    with acting_as(walk.tenant):
        Document.objects.update(status=DocumentStatus.FAILED)
    walk.post(f"{address(Document)}{guide.pk}/do/retry/")
    for name in ("retry_chosen", "delete_chosen", "restore_chosen"):
        with acting_as(walk.tenant):
            Document.objects.update(status=DocumentStatus.FAILED)
        query = "?deleted=yes" if name == "restore_chosen" else ""
        walk.recorded.news()
        walk.client.post(address(Document) + query, {"action": name, "_selected_action": [str(guide.pk)]})
        assert {entry.actor_id for entry in walk.recorded.news()} == {str(walk.me.pk)}, name
    assert {m for m, page in site._registry.items() if page.actions} == {Document}, (
        "actions that nobody walks"
    )
    walk.done.add("admin/knowledge/document/")
    walk.post(
        "/admin/knowledge/document/upload/",
        {"file": SimpleUploadedFile("note.txt", b"Words of a note."), "category": "", "collection": ""},
    )


def widgets(walk):
    walk.post(address(Personality, "add"), test_widgets.TestPersonalities.FORM)
    walk.post(address(Personality, "add"), {**test_widgets.TestPersonalities.FORM, "name": "Formal"})
    formal = walk.newest(Personality)
    walk.post(
        address(Personality, "change", formal.pk), {**test_widgets.TestPersonalities.FORM, "name": "Stiff"}
    )
    walk.post(address(Personality, "delete", formal.pk), {"post": "yes"})
    walk.post(address(Widget, "add"), {**test_widgets.WIDGET, "domain_whitelist": "https://acme.example"})
    widget = walk.newest(Widget)
    walk.post(
        address(Widget, "change", widget.pk),
        {**test_widgets.WIDGET, "domain_whitelist": "https://acme.example", "name": "B"},
    )
    walk.post(address(Widget, "delete", widget.pk), {"post": "yes"})


def conversation(walk):
    session = conversations.session(walk.tenant)
    for name in ("take-over", "release", "assign", "end"):
        walk.post(f"{address(Session)}{session.pk}/do/{name}/", {"assignee": str(walk.me.pk)})
    walk.post(f"{address(Session)}{session.pk}/erase-visitor/")


def money(walk):
    walk.post(address(Budget, "add"), test_costs.TestBudgets.FORM)
    budget = walk.newest(Budget)
    walk.post(address(Budget, "change", budget.pk), {**test_costs.TestBudgets.FORM, "limit_usd": "300"})
    walk.post(address(Budget, "delete", budget.pk), {"post": "yes"})


def export(walk):
    walk.post(address(Export, "add"))
    ordered = walk.newest(Export)
    ordering.carry_out(TenantRef(walk.tenant.pk, walk.tenant.schema_name), ordered.pk)
    walk.recorded.news()
    walk.post(address(Export, "file", ordered.pk))
    walk.post(address(Export, "delete", ordered.pk), {"post": "yes"})


def oneself(walk):
    other = Client()
    other.post("/admin/login/", {"username": walk.me.email, "password": PASSWORD})
    walk.post("/admin/your/sessions/")
    page = "/admin/your/second-factor/"
    walk.post(page, {"step": "require", "required": "1"})
    walk.post(page, {"step": "begin", "password": PASSWORD})
    secret = re.search(r"secret: <code>(\w+)", walk.client.get(page).content.decode()).group(1)
    codes = walk.post(page, {"step": "confirm", "code": pyotp.TOTP(secret).now()}).context["codes"]
    walk.post(page, {"step": "renew", "password": PASSWORD})
    form = {
        "old_password": PASSWORD,
        "new_password1": CHANGED,
        "new_password2": CHANGED,
    }
    walk.post("/admin/password_change/", form)
    codes = walk.client.post(page, {"step": "renew", "password": CHANGED}).context["codes"]
    walk.post("/admin/logout/")
    walk.client = Client()
    walk.client.post("/admin/login/", {"username": walk.me.email, "password": CHANGED})
    walk.post("/admin/login/code/", {"code": codes[0]})
    with acting_as(walk.tenant):
        told = str(list(AuditEntry.objects.values_list("before", "after")))
    assert secret not in told
    assert not [code for code in codes if code in told]
    walk.post(page, {"step": "require", "required": ""})
    walk.post(page, {"step": "off", "password": CHANGED})
