"""The quick way to read rows says the same as Django's."""

from decimal import Decimal

import pytest
from django.db import DataError, transaction

from tenants.context import acting_as
from tenants.rest.rows import fetched
from tests import conversations
from widgets.chat.messages import FIELDS
from widgets.models import Message, Session

METADATA = {"page": "https://acme.example", "deep": [1, {"a": None}], "text": "ünï"}


def test_sessions_and_messages_are_as_django_reads_them(acme, bolt):
    conversations.session(bolt, metadata={"secret": True})
    session = conversations.session(acme, metadata=METADATA, cost_usd=Decimal("0.0000002"), tags=["a", "b"])
    columns = (
        "id",
        "widget_id",
        "assignee_id",
        "cost_usd",
        "metadata",
        "tags",
        "rating",
        "created_at",
        "status",
    )
    with acting_as(acme):
        Message.objects.create(
            session=session, seq=1, role="user", content="Hello", citations=[{"title": "x"}]
        )
        assert fetched(Session.objects.all(), columns) == list(Session.objects.values(*columns))
        assert fetched(Message.objects.all(), FIELDS) == list(Message.objects.values(*FIELDS))
        assert fetched(Session.objects.filter(status="ended"), columns) == []


def test_the_databases_errors_are_djangos(acme):
    with acting_as(acme), pytest.raises(DataError), transaction.atomic():
        fetched(Session.objects.extra(where=["1/0 = 1"]), ("id",))
