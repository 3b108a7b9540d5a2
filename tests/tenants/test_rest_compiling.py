"""SQL remembered by the shape of its query: the same as compiled anew, whatever the values, and never for another
shape."""

import uuid
from datetime import UTC, datetime

import pytest
from django.db.models import F, Q
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tenants.context import acting_as
from tenants.rest import compiling
from tenants.rest.compiling import statement_of
from tenants.rest.rows import fetched
from tests import conversations
from widgets.chat.messages import FIELDS
from widgets.models import Message, Session

COLUMNS = ("id", "status", "widget_id", "created_at", "last_seq")
MOMENT = datetime(2026, 11, 21, tzinfo=UTC)


@pytest.fixture(autouse=True)
def forgetful():
    compiling._compiled.clear()
    yield
    compiling._compiled.clear()


def anew(rows, columns=COLUMNS):
    statement, parameters = rows.values_list(*columns).query.sql_with_params()
    return statement, list(parameters)


def remembered(rows, columns=COLUMNS):
    statement, parameters = statement_of(rows, columns)
    return statement, list(parameters)


CONDITIONS = st.sampled_from(
    [
        lambda value: Q(status=value),
        lambda value: Q(status__startswith=value),
        lambda value: Q(last_seq__gt=len(value)),
        lambda value: Q(widget=uuid.UUID(int=len(value))),
        lambda value: Q(widget_id=None),
        lambda value: Q(rating__isnull=bool(value)),
        lambda value: Q(created_at__lte=MOMENT) & (Q(created_at__lt=MOMENT) | Q(id__lt=uuid.UUID(int=7))),
        lambda value: ~Q(status=value),
        lambda value: Q(status__in=[value, "ai"]),
        lambda value: Q(visitor__name=value),
        lambda value: Q(last_seq=F("tool_count")),
    ]
)


@given(
    conditions=st.lists(st.tuples(CONDITIONS, st.text("abé%_'", max_size=3)), max_size=3),
    order=st.sampled_from([(), ("-id",), ("-created_at", "-id"), ("status",)]),
    limit=st.sampled_from([None, 1, 51]),
)
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_it_is_what_django_would_say(conditions, order, limit):
    rows = Session.objects.all()
    for condition, value in conditions:
        rows = rows.filter(condition(value))
    rows = rows.order_by(*order)
    rows = rows[:limit] if limit else rows
    assert remembered(rows) == anew(rows)
    assert remembered(rows) == anew(rows)


def test_hot_lists_are_remembered_with_their_own_values():
    first, second = (
        Message.objects.filter(session_id=uuid.UUID(int=n)).order_by("-seq")[:51] for n in (1, 2)
    )
    assert remembered(first, FIELDS) == anew(first, FIELDS)
    assert len(compiling._compiled) == 1
    assert remembered(second, FIELDS) == anew(second, FIELDS)
    assert len(compiling._compiled) == 1


@pytest.mark.parametrize(
    "rows",
    [
        Session.objects.filter(visitor__name="x"),
        Session.objects.filter(status__in=["ai"]),
        Session.objects.extra(where=["1 = 1"]),
        Session.objects.distinct(),
        Session.objects.none(),
        Session.objects.select_for_update(),
        Session.objects.annotate(twice=F("last_seq") * 2),
    ],
)
def test_what_is_more_than_comparisons_has_no_shape(rows):
    with pytest.raises(compiling._HasNoShape):
        compiling._shape(rows.query, [])


def test_rows_are_the_acting_tenants(acme, bolt):
    ours, theirs = conversations.session(acme), conversations.session(bolt)
    for tenant, own in ((acme, ours), (bolt, theirs), (acme, ours)):
        with acting_as(tenant):
            assert [row["id"] for row in fetched(Session.objects.filter(status="ai"), COLUMNS)] == [own.pk]
            assert fetched(Session.objects.filter(status="ended"), COLUMNS) == []
