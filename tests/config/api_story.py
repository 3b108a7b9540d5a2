"""One story through every door of the API, recorded: what the OpenAPI document shows as examples."""

import re
import uuid
from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from typing import Any

from django.test import Client
from django.utils import timezone

from billing.costs.alerts import BudgetAlert
from knowledge.ingest import ingest
from tenants.context import TenantRef, acting_as
from tenants.creating import create_user
from tenants.exporting import ordering
from tenants.models import Domain, Tenant
from tenants.permissions import Role
from tenants.webhooks import claiming
from tests.billing.spending import fold_all
from tests.tenants.callers import caller

Recorded = dict[str, dict[str, Any]]

MEMBER = {
    "email": "ada@acme.com",
    "password": "a long enough password",
    "name": "Ada Lovelace",
    "role": "member",
}
GUIDE = {
    "title": "Warranty",
    "content": "# Warranty\n\nThe warranty of the hub is two years from the day of purchase.",
    "category": "help",
    "external_id": "help/warranty",
    "metadata": {"url": "https://acme.com/help/warranty"},
}
QUESTION = "How long is the warranty of the hub?"
EVENT = {
    "service": "voice_stt",
    "provider": "deepgram",
    "model": "nova-3",
    "feature": "phone",
    "units": 12.5,
    "cost_usd": "0.0009",
    "idempotency_key": "call-4711-stt",
}
PRICE = {"provider": "openai", "model": "gpt-5-mini", "service": "llm", "input": "0.2", "output": "1.6"}


class Story:
    """Calls the API and records what was asked and answered, by operation id; the first time of each."""

    def __init__(self, client: Client, tenant: Tenant) -> None:
        self.tenant, self.recorded = tenant, Recorded()
        self._call = caller(client, tenant)

    def call(self, operation: str, method: str, path: str, body: Any = None, *, status: int = 200) -> Any:
        response = self._call(method, path, body)
        assert response.status_code == status, (operation, response.content)
        answer = response.json() if response.content else None
        if operation not in self.recorded:
            found = self.recorded[operation] = {"status": str(status)}
            if body is not None:
                found["request"] = body
            if answer is not None:
                found["response"] = answer
        return answer

    def collection(self, name: str, path: str, identifier: str, change: dict[str, Any] | None = None) -> None:
        """List, read and, where there is something to change, change."""
        self.call(f"{name}_list", "GET", f"{path}?limit=1")
        self.call(f"{name}_read", "GET", f"{path}{identifier}/")
        if change is not None:
            self.call(f"{name}_update", "PATCH", f"{path}{identifier}/", change)


def told(client: Client, acme: Tenant) -> Recorded:
    """The story. Commits, so it needs a transactional test."""
    with acting_as(acme):
        create_user("admin@acme.com", "a long enough password", name="John Doe", role=Role.OWNER)
    story = Story(client, acme)
    _account(story)
    _knowledge(story)
    _widgets(story)
    _conversations(story)
    _costs(story)
    _export(story)
    return normalised(story.recorded)


def _account(story: Story) -> None:
    ada = story.call("members_create", "POST", "members/", MEMBER, status=201)["id"]
    story.collection("members", "members/", ada, {"role": "admin", "avatar_url": "https://acme.com/ada.png"})
    bob = story.call("", "POST", "members/", {**MEMBER, "email": "bob@acme.com"}, status=201)["id"]
    story.call("members_delete", "DELETE", f"members/{bob}/", status=204)
    key = story.call(
        "api_keys_create",
        "POST",
        "api-keys/",
        {"name": "Voice worker", "scopes": ["billing:write"]},
        status=201,
    )["id"]
    story.collection("api_keys", "api-keys/", key, {"name": "Phone worker"})
    story.call("api_keys_rotate", "POST", f"api-keys/{key}/rotate", {"overlap_s": 3600}, status=201)
    story.call("api_keys_delete", "DELETE", f"api-keys/{key}/", status=204)
    own = {"provider": "openai", "key": "sk-your-own-key-0000"}
    paying = story.call("provider_keys_create", "POST", "provider-keys/", own, status=201)["id"]
    story.collection("provider_keys", "provider-keys/", paying)
    story.call("provider_keys_delete", "DELETE", f"provider-keys/{paying}/", status=204)
    domain = story.call("domains_create", "POST", "domains/", {"hostname": "help.acme.com"}, status=201)["id"]
    story.collection("domains", "domains/", domain)
    with acting_as(story.tenant):
        Domain.objects.update(verified_at=timezone.now())
    story.call("domains_update", "PATCH", f"domains/{domain}/", {"is_primary": True})
    story.call("domains_delete", "DELETE", f"domains/{domain}/", status=204)
    _webhooks(story)
    story.call("audit_entries_list", "GET", f"audit-entries/?limit=1&target={ada}&action=changed")
    entry = story.call("", "GET", f"audit-entries/?target={ada}&action=changed")["results"][0]["id"]
    story.call("audit_entries_read", "GET", f"audit-entries/{entry}/")


def _webhooks(story: Story) -> None:
    wanted = {"url": "https://acme.com/hooks/frontdesk", "events": ["session.handed_over", "message.created"]}
    made = story.call("webhook_endpoints_create", "POST", "webhook-endpoints/", wanted, status=201)["id"]
    path = f"webhook-endpoints/{made}/"
    story.collection("webhook_endpoints", "webhook-endpoints/", made, {"description": "Our help desk"})
    story.call("webhook_endpoints_rotate", "POST", f"{path}rotate", {"overlap_s": 3600}, status=201)
    sent = story.call("webhook_endpoints_test", "POST", f"{path}test", status=202)["id"]
    with acting_as(story.tenant):
        claimed = claiming.claim(uuid.UUID(made))
        assert claimed is not None
        claiming.settle(claimed, claiming.Outcome(timezone.now(), 87, 200, "ok"))
    story.collection("webhook_deliveries", f"{path}deliveries/", sent)
    story.call("webhook_endpoints_replay", "POST", f"{path}replay", {"delivery": sent}, status=202)
    story.call("webhook_endpoints_delete", "DELETE", path, status=204)


def _knowledge(story: Story) -> None:
    document = story.call("documents_create", "POST", "documents/", GUIDE, status=202)["id"]
    with acting_as(story.tenant) as ref:
        pass
    ingest(ref, uuid.UUID(document))
    story.collection("documents", "documents/", document)
    story.call("documents_update", "PATCH", f"documents/{document}/", {"category": "warranty"})
    story.call("search", "POST", "search/", {"query": QUESTION, "limit": 3})
    story.call("answers_create", "POST", "answers/", {"question": QUESTION})
    other = story.call("", "POST", "documents/", {"title": "Old", "content": "Old words."}, status=202)["id"]
    story.call("documents_delete", "DELETE", f"documents/{other}/", status=204)


def _widgets(story: Story) -> None:
    voice = {
        "name": "Friendly",
        "system_prompt": "You are the friendly assistant of Acme.",
        "temperature": 0.4,
    }
    personality = story.call("personalities_create", "POST", "personalities/", voice, status=201)["id"]
    story.collection("personalities", "personalities/", personality, {"temperature": 0.2})
    versions = f"personalities/{personality}/versions/"
    version = story.call("", "GET", versions)["results"][0]["id"]
    story.collection("personality_versions", versions, version)
    other = story.call("", "POST", "personalities/", {"name": "Formal"}, status=201)["id"]
    story.call("personalities_delete", "DELETE", f"personalities/{other}/", status=204)
    main = {
        "name": "Main Website Widget",
        "domain_whitelist": ["https://acme.com", "https://*.acme.com"],
        "settings": {"greeting": "Hi! How can I help you today?", "primaryColor": "#0f766e"},
        "personality": personality,
    }
    widget = story.call("widgets_create", "POST", "widgets/", main, status=201)["id"]
    story.collection("widgets", "widgets/", widget, {"settings": {"theme": "dark"}})
    other = story.call("", "POST", "widgets/", {"name": "Test"}, status=201)["id"]
    story.call("widgets_delete", "DELETE", f"widgets/{other}/", status=204)


def _conversations(story: Story) -> None:
    member = story.recorded["members_create"]["response"]["id"]
    widget = story.recorded["widgets_create"]["response"]["id"]
    opened = {
        "widget": widget,
        "visitor": {"external_id": "customer-42", "name": "Eva"},
        "metadata": {"page": "/help"},
    }
    session = story.call("sessions_create", "POST", "sessions/", opened, status=201)["id"]
    path = f"sessions/{session}/"
    said = story.call("messages_create", "POST", path + "messages/", {"content": QUESTION, "id": str(uuid.uuid4())},
                      status=201)  # fmt: skip
    assert said["answer"]["citations"], said
    story.collection("messages", path + "messages/", said["answer"]["id"])
    rating = {"message": said["answer"]["id"], "rating": 1, "comment": "Just what I needed."}
    opinion = story.call("feedback_create", "POST", "feedback/", rating, status=201)["id"]
    story.collection("feedback", "feedback/", opinion)
    story.collection("sessions", "sessions/", session, {"tags": ["warranty"], "outcome": "solved"})
    story.call("sessions_assign", "POST", path + "assign", {"member": member})
    story.call("sessions_takeover", "POST", path + "takeover", {"member": member})
    story.call("sessions_release", "POST", path + "release")
    room = story.call("meetings_create", "POST", "meetings/", {"title": "A look at the hub", "session": session},
                      status=201)["id"]  # fmt: skip
    story.collection("meetings", "meetings/", room, {"description": "The hub does not start."})
    story.call("meetings_end", "POST", f"meetings/{room}/end")
    story.call("sessions_end", "POST", path + "end")
    visitor = story.recorded["sessions_create"]["response"]["visitor"]
    erased = story.call("visitors_delete", "DELETE", f"visitors/{visitor}/")
    story.collection("erasures", "erasures/", erased["id"])


def _export(story: Story) -> None:
    export = story.call("exports_create", "POST", "exports/", status=202)["id"]
    ordering.carry_out(TenantRef(story.tenant.pk, story.tenant.schema_name), uuid.UUID(export))
    story.collection("exports", "exports/", export)
    story.call("exports_delete", "DELETE", f"exports/{export}/", status=204)


def _costs(story: Story) -> None:
    event = story.call("cost_events_create", "POST", "cost-events/", EVENT, status=201)["id"]
    story.collection("cost_events", "cost-events/", event)
    fold_all(story.tenant)
    story.call("cost_summaries_read", "GET", "cost-summaries/?by=service")
    limit = {"limit_usd": "100", "hard_cap": True, "warn_at": [0.8, 1], "recipients": ["admin@acme.com"]}
    budget = story.call("budgets_create", "POST", "budgets/", limit, status=201)["id"]
    story.collection("budgets", "budgets/", budget, {"limit_usd": "150"})
    with acting_as(story.tenant):
        BudgetAlert.objects.create(
            budget_id=budget, period_start=timezone.now(), fraction=Decimal("0.8"), threshold=Decimal(120),
            current_spend=Decimal("120.0031"), period="monthly", notifications_sent=1,
            metadata={"recipients": ["admin@acme.com"], "channels": [], "customMessage": ""},
        )  # fmt: skip
        alert = str(BudgetAlert.objects.get().pk)
    story.collection("budget_alerts", "budget-alerts/", alert)
    story.call("budgets_delete", "DELETE", f"budgets/{budget}/", status=204)
    later = (timezone.now() + timedelta(days=30)).isoformat()
    price = story.call("prices_create", "POST", "prices/", {**PRICE, "effective_from": later}, status=201)[
        "id"
    ]
    story.collection("prices", "prices/", price)
    story.call("prices_delete", "DELETE", f"prices/{price}/", status=204)
    story.call("usage_read", "GET", "usage/")


ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
SECRETS = (
    (re.compile(r"fd_sk_[\w-]{43}"), "fd_sk_Ab12Cd3EfGh4IjKl5MnOp6QrSt7UvWx8YzAb9CdEf0"),
    (re.compile(r"^fd_sk_[\w-]{6}$"), "fd_sk_Ab12Cd"),
    (re.compile(r"^pk_[\w-]{24}$"), "pk_h3Yb0mJkQ2vXc7TzN4sWpL8a"),
    (re.compile(r"^whsec_[\w+/]{43}=$"), "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"),
    (re.compile(r"^room_[\w-]{24}$"), "room_Tq9dW2kLx7VbN3mRz5CfYp1s"),
)
MEASURED = {"latencyMs": 412, "firstTokenMs": 180, "latency_ms": 412, "confidence": 0.91, "score": 0.83}


def normalised(recorded: Recorded) -> Recorded:
    """The same with ids, times, secrets and measurements that are alike in every recording."""
    names: dict[str, str] = {}
    return {name: _plain(recorded[name], names) for name in sorted(recorded) if name}


def _plain(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        shown = {**MEASURED, "next": "WyIwMTk4N2E1ZS02ZDNiLTdjNDEtOWY2MC0yYTRiOGMxZDBlMGMiXQ"}
        return {k: shown[k] if k in shown and v else _plain(v, names) for k, v in value.items()}
    if isinstance(value, list):
        return [_plain(item, names) for item in value]
    if not isinstance(value, str):
        return value
    if ID.fullmatch(value):
        return names.setdefault(value, f"01987a5e-6d3b-7c41-9f60-{0x2A4B8C1D0E00 + len(names):012x}")
    if TIME.fullmatch(value):
        return "2026-01-05T09:30:00Z"
    for pattern, shown in SECRETS:
        value = pattern.sub(shown, value)
    return value


def shape(value: Any) -> Any:
    """What kind of value it is, names and types without contents: what a change of the code shows in."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value[:1]]
    return "null" if value is None else "number" if isinstance(value, int | float) else type(value).__name__


def differences(one: Any, other: Any, path: str = "") -> Iterator[str]:
    """Where two shapes differ. A null may be anything elsewhere."""
    if isinstance(one, dict) and isinstance(other, dict):
        for key in sorted({*one, *other}):
            if key not in one or key not in other:
                yield f"{path}.{key}"
            else:
                yield from differences(one[key], other[key], f"{path}.{key}")
    elif isinstance(one, list) and isinstance(other, list):
        for item, twin in zip(one, other, strict=False):
            yield from differences(item, twin, f"{path}[]")
    elif one != other and "null" not in (one, other):
        yield f"{path}: {one} here, {other} there"
