"""Old cost events go, and every sum stays what it was."""

from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.costs import ageing, ledger, reconciling
from billing.models import CostEvent, CostSummary
from kernel import clock
from tenants import maintaining
from tenants.context import TenantRef, acting_as
from tenants.models import Tenant
from tenants.owner import owner_connection
from tests import conversations
from tests.billing.spending import event, fold_all, spend, totals

pytestmark = pytest.mark.django_db(transaction=True)

PERIODS = ("hour", "day", "week", "month")


def keeps(tenant, days):
    with acting_as(tenant):
        Tenant.objects.filter(pk=tenant.pk).update(settings={"retentionDays": days})
    return TenantRef(tenant.pk, tenant.schema_name)


def delete_old(tenant):
    with owner_connection():
        return ageing.delete_old_events(TenantRef(tenant.pk, tenant.schema_name))


def book():
    return {period: totals(period) for period in PERIODS}


def ago(days):
    return clock.now() - timedelta(days=days)


# (age in days, cents, age of a correction or None)
EVENTS = st.lists(
    st.tuples(st.integers(0, 90), st.integers(1, 500), st.none() | st.integers(0, 90)),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(first=EVENTS, late=EVENTS, days=st.sampled_from([1, 45, 60]))
def test_sums_stay_and_reconcile_whatever_is_deleted_and_comes_late(acme, bolt, first, late, days):
    keeps(acme, days)
    with acting_as(acme):
        before = sum((summary.total_cost_usd for summary in _hours()), Decimal(0))
    spent = before
    for batch in (first, late):
        with acting_as(acme):
            for age, cents, corrected in batch:
                (booked,) = ledger.record([event(str(Decimal(cents) / 100), timestamp=ago(age))])
                spent += Decimal(cents) / 100
                if corrected is not None:
                    ledger.record([event("-0.005", corrects=booked.id, timestamp=ago(corrected))])
                    spent -= Decimal("0.005")
        fold_all(acme)
        with acting_as(acme):
            whole = book()
        assert whole["hour"][0] == spent
        delete_old(acme)
        fold_all(acme)
        with acting_as(acme):
            assert book() == whole
            assert not reconciling.reconcile()
            old = CostEvent.objects.filter(timestamp__lt=ago(max(days, 41) + 1))
            # What is left of the old ones is corrected by something that stays.
            assert all(CostEvent.objects.filter(corrects=one).exists() for one in old)


def _hours():
    return CostSummary.objects.filter(period="hour")


def test_nothing_is_deleted_that_is_kept(acme, bolt):
    keeps(bolt, 60)
    talk = conversations.session(bolt)
    spend(acme, "1", timestamp=ago(400))
    spend(bolt, "1", timestamp=ago(59))
    spend(bolt, "1", timestamp=ago(100), session_id=talk.pk)
    spend(bolt, "2", timestamp=ago(100))
    for tenant in (acme, bolt):
        fold_all(tenant)
    assert delete_old(acme) == 0
    assert delete_old(bolt) == 1
    with acting_as(bolt):
        assert sorted(CostEvent.objects.values_list("cost_usd", flat=True)) == [1, 1]
        assert not reconciling.reconcile()
        talk.delete()
    assert delete_old(bolt) == 1
    with acting_as(acme):
        assert CostEvent.objects.count() == 1


def test_budgets_have_their_month_however_short_conversations_are_kept(acme, bolt):
    keeps(acme, 1)
    spend(acme, "1", timestamp=ago(39))
    spend(acme, "1", timestamp=ago(43))
    fold_all(acme)
    assert delete_old(acme) == 1


def test_maintain_does_it_and_the_command_says_what_would_go(acme, bolt, monkeypatch):
    keeps(acme, 50)
    for tenant in (acme, bolt):
        spend(tenant, "1", timestamp=ago(60))
        fold_all(tenant)
    out = StringIO()
    call_command("retention", "--dry-run", stdout=out)
    assert "bolt: keeps everything" in out.getvalue()
    assert "acme: keeps 50 days, would delete" in out.getvalue()
    assert "1 cost events" in out.getvalue()
    lines = []
    monkeypatch.setattr(ageing, "_looked_at", float("-inf"))
    assert ageing.delete_old_events_of_everybody in maintaining._deeds
    ageing.delete_old_events_of_everybody(lines.append)
    assert lines == ["acme: 1 old cost events deleted, their sums stay"]
    out = StringIO()
    call_command("retention", "acme", stdout=out)
    assert "deleted" in out.getvalue()
    assert "0 cost events" in out.getvalue()
    with acting_as(bolt):
        assert CostEvent.objects.count() == 1
