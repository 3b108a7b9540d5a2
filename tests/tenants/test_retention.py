"""Conversations go when their tenant keeps them no longer, and not before; nobody else's do."""

from datetime import timedelta

import pytest
from django.utils import timezone

from billing.models import CostEvent
from meetings.models import Meeting
from tenants import retention, tasks
from tenants.context import TenantRef, acting_as
from tenants.models import AuthSession, Tenant
from tenants.webhooks.models import OutboxEvent
from tests import conversations
from tests.billing.spending import spend
from widgets.models import Message, Session, Visitor

pytestmark = pytest.mark.django_db(transaction=True)


def keeps(tenant, days):
    with acting_as(tenant):
        Tenant.objects.filter(pk=tenant.pk).update(settings={"retentionDays": days} if days else {})
    return TenantRef(tenant.pk, tenant.schema_name)


def talk(tenant, days, status="ended"):
    """A conversation that was silent for so many days, with a message, of a visitor who was not seen since."""
    then = timezone.now() - timedelta(days=days)
    session = conversations.session(tenant, status=status, last_message_at=then)
    with acting_as(tenant):
        Message.objects.create(session=session, seq=1, role="user", content=f"{days} days ago")
        Visitor.objects.filter(pk=session.visitor_id).update(last_seen_at=then)
    return session


def said(tenant):
    with acting_as(tenant):
        return sorted(Message.objects.values_list("content", flat=True))


def test_old_conversations_go_with_all_that_is_theirs(acme, bolt):
    ref = keeps(acme, 30)
    old = talk(acme, 31)
    talk(acme, 29)
    talk(acme, 99, status="human")
    talk(bolt, 99)
    spend(acme, "1", session_id=old.pk)
    then = timezone.now() - timedelta(days=31)
    with acting_as(acme):
        Meeting.objects.create(room_name="old", ended_at=then)
        Meeting.objects.create(room_name="open")
        event = OutboxEvent.objects.create(type="message.created", body="{}")
        OutboxEvent.objects.filter(pk=event.pk).update(created_at=then)
    expected = {"events of webhooks": 1, "conversations": 1, "visitors": 0, "meetings": 1}
    assert retention.due(ref) == expected
    assert said(acme) == ["29 days ago", "31 days ago", "99 days ago"]
    assert retention.delete_old(ref) == {**expected, "visitors": 1}
    assert said(acme) == ["29 days ago", "99 days ago"]
    assert said(bolt) == ["99 days ago"]
    with acting_as(acme):
        assert Visitor.objects.count() == 2
        assert Session.objects.count() == 2
        assert [meeting.room_name for meeting in Meeting.objects.all()] == ["open"]
        # What it cost is still in the books.
        assert CostEvent.objects.get().session_id is None
    assert sum(retention.delete_old(ref).values()) == 0


def test_whoever_says_nothing_keeps_all(acme, bolt):
    ref = keeps(acme, None)
    talk(acme, 4000)
    assert retention.due(ref) == retention.delete_old(ref) == {}
    assert said(acme) == ["4000 days ago"]


def test_a_visitor_with_a_conversation_left_stays(acme, bolt):
    ref = keeps(acme, 10)
    old = talk(acme, 20)
    with acting_as(acme):
        Session.objects.create(widget=old.widget, visitor=old.visitor, last_message_at=timezone.now())
    assert retention.delete_old(ref)["conversations"] == 1
    with acting_as(acme):
        assert Visitor.objects.filter(pk=old.visitor_id).exists()


def test_in_batches_and_for_everybody(acme, bolt, monkeypatch):
    monkeypatch.setattr(retention, "BATCH", 2)
    for tenant in (acme, bolt):
        keeps(tenant, 5)
        for _ in range(5):
            talk(tenant, 6)
    assert tasks.delete_old() == 20
    assert said(acme) == said(bolt) == []


def test_expired_sessions_of_browsers_go(acme, bolt):
    now = timezone.now()
    for tenant in (acme, bolt):
        with acting_as(tenant):
            for name, at in (("old", now - timedelta(days=1)), ("live", now + timedelta(days=1))):
                AuthSession.objects.create(
                    key=f"{tenant.slug}-{name}", tenant_id=tenant.pk, data="", expires_at=at
                )
    tasks.clear_sessions()
    for tenant in (acme, bolt):
        with acting_as(tenant):
            assert [row.key for row in AuthSession.objects.all()] == [f"{tenant.slug}-live"]
