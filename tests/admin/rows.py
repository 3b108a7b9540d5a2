"""Rows for the admin's pages to show."""

from decimal import Decimal

from billing.costs.alerts import BudgetAlert
from billing.costs.ledger import NewCostEvent, record
from billing.costs.models import Budget
from kernel.ids import uuid7
from knowledge.documents import save_document
from meetings.models import Meeting
from tenants.authentication import issue_api_key
from tenants.bringing_keys import set_key
from tenants.context import acting_as
from tenants.exporting.models import Export, ExportStatus
from tenants.models import WebhookEndpoint
from tenants.webhooks import replaying
from tenants.webhooks.endpoints import create_endpoint
from tests import conversations
from widgets.editing import create_widget
from widgets.models import Message, Session
from widgets.personalities import create_personality


def address(model, page="changelist", *args):
    """Where one of a model's pages is."""
    path = f"/admin/{model._meta.app_label}/{model._meta.model_name}/"
    return path if page == "changelist" else f"{path}{page}/" if page == "add" else f"{path}{args[0]}/{page}/"


def fill(tenant, mark=""):
    """One row of everything the admin shows, marked with the tenant's name and `mark`."""
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
                          idempotency_key=f"{tenant.slug}-1{mark}", metadata={}, estimated=False,
                          cost_usd=Decimal("0.0012"), user_ref="", trace_id="")]
        )  # fmt: skip
        message_of = f"{tenant.slug} budget"
        Budget.objects.create(limit_usd=1000, warn_at=[Decimal("0.8")], custom_message=message_of)
        budget = Budget.objects.order_by("-id")[0]
        BudgetAlert.objects.create(
            budget=budget, period_start=budget.period_start, fraction=Decimal("0.8"), threshold=800,
            current_spend=801, period=budget.period, metadata={"customMessage": message_of},
        )  # fmt: skip
        issue_api_key(f"{tenant.slug} key", ["read"])
        create_endpoint(url=f"https://{tenant.slug}.example/hook", description=f"{tenant.slug} desk")
        replaying.send_test(WebhookEndpoint.objects.order_by("-id")[0].pk)
        set_key("openai", f"sk-{tenant.slug}-0123456789")
        Export.objects.create(status=ExportStatus.READY, requested_by="key:x", rows=3, files=0, size=2048)
        Meeting.objects.create(
            room_name=f"{tenant.slug}-room{mark}", metadata={"title": f"{tenant.slug} call"}
        )
    return session
