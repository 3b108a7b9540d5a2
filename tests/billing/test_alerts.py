"""Budget alerts: each share of a limit once in a period, told by a letter and a webhook, and over when it is over."""

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from decimal import Decimal
from uuid import uuid4

import orjson
import pytest
from django.core import mail
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing import tasks
from billing.costs import alerting, budgets, telling, watching
from billing.costs.alerts import BudgetAlert
from billing.costs.budgeting import change_budget, create_budget
from billing.costs.budgets import BudgetReached
from kernel import clock
from tenants.context import acting_as
from tenants.creating import create_user
from tenants.models import OutboxEvent
from tenants.permissions import Role
from tenants.webhooks.endpoints import create_endpoint
from tests.billing.spending import spend
from tests.tenants.callers import caller, code_of, every, wrong_fields

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def theirs(bolt):
    """Bolt has spent all of a budget like acme's, and nobody has looked."""
    with acting_as(bolt):
        budget = create_budget(limit_usd=Decimal(10))
    spend(bolt, "10")
    return budget


def made(tenant, limit="10", **fields):
    with acting_as(tenant):
        return create_budget(limit_usd=Decimal(limit), **fields)


def look(tenant):
    """What the worker does after a fold; what it raised."""
    with acting_as(tenant):
        return [(alert.fraction, alert.severity) for alert in watching.look()]


def alerts(tenant):
    with acting_as(tenant):
        return list(BudgetAlert.objects.order_by("fraction"))


def told(tenant):
    with acting_as(tenant):
        return [
            orjson.loads(one) for one in OutboxEvent.objects.order_by("id").values_list("body", flat=True)
        ]


class TestRaising:
    def test_each_share_once(self, acme, theirs):
        made(acme)
        spend(acme, "7.99")
        assert look(acme) == []
        spend(acme, "0.01")
        assert look(acme) == [(Decimal("0.8"), "warning")]
        assert look(acme) == []
        spend(acme, "5")
        assert look(acme) == [(Decimal(1), "critical")]
        assert look(acme) == []
        first, second = alerts(acme)
        assert (first.threshold, first.current_spend, first.period) == (8, 8, "monthly")
        assert (second.threshold, second.current_spend, second.resolved) == (10, 13, False)

    def test_both_at_a_leap(self, acme, theirs):
        made(acme)
        spend(acme, "50")
        assert look(acme) == [(Decimal("0.8"), "warning"), (Decimal(1), "critical")]

    def test_nothing_spent_is_no_alert_even_of_nothing(self, acme):
        made(acme, "0")
        assert look(acme) == []
        spend(acme, "0.0000000001")
        assert len(look(acme)) == 2

    def test_the_largest_limit_there_is(self, acme):
        made(acme, "99999999.9999999999", warn_at=[Decimal("0.0001")], hard_cap=True)
        spend(acme, "99999999")
        assert look(acme) == [(Decimal("0.0001"), "warning")]
        with acting_as(acme), pytest.raises(BudgetReached):
            budgets.reserve(amount=Decimal(1), purpose_id=uuid4())
        assert alerts(acme)[1].threshold == Decimal("99999999.99")

    def test_a_new_budget_of_what_is_spent_already_warns_at_once(self, acme, theirs):
        spend(acme, "9")
        made(acme)
        assert [alert.fraction for alert in alerts(acme)] == [Decimal("0.8")]

    def test_workers_at_once_raise_it_once(self, acme, bolt):
        made(acme)
        spend(acme, "20")

        def at_once(_):
            try:
                return look(acme)
            finally:
                connection.close()

        with ThreadPoolExecutor(8) as pool:
            raised = [one for found in pool.map(at_once, range(16)) for one in found]
        assert sorted(raised) == [(Decimal("0.8"), "warning"), (Decimal(1), "critical")]
        assert alerts(bolt) == []

    @given(steps=st.lists(st.integers(0, 400), min_size=1, max_size=8), limit=st.integers(0, 1000))
    @settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
    def test_whatever_is_spent_the_alerts_are_those_of_the_sum(self, acme, steps, limit):
        shares = [Decimal("0.25"), Decimal("0.5"), Decimal(1), Decimal("1.5")]
        budget = made(acme, str(limit), warn_at=shares)
        with acting_as(acme):
            before = budget.spent
        raised = []
        for step in steps:
            spend(acme, str(step))
            raised += [fraction for fraction, _ in look(acme)]
        with acting_as(acme):
            budget.refresh_from_db()
            standing = set(BudgetAlert.objects.filter(budget=budget).values_list("fraction", flat=True))
            assert budget.spent == before + sum(steps)
            assert standing == {share for share in shares if 0 < budget.spent >= share * limit}
            budget.delete()
        assert len(raised) == len(set(raised))

    def test_the_fold_looks_and_so_does_the_sweep(self, acme, bolt):
        made(acme)
        made(bolt)
        spend(acme, "8")
        spend(bolt, "8")
        tasks.fold.apply(headers={"tenant_id": str(acme.pk)}, throw=True)
        assert len(alerts(acme)) == 1
        assert alerts(bolt) == []
        tasks.sweep_rollups()
        assert len(alerts(bolt)) == 1

    def test_an_answer_pays_nothing_for_it(self, acme):
        """Spending runs the statements that it ran before there were alerts."""
        made(acme)
        sent = []

        def note(execute, sql, params, many, context):
            sent.append(str(sql))
            return execute(sql, params, many, context)

        with connection.execute_wrapper(note):
            spend(acme, "9")
        assert not [sql for sql in sent if "alert" in sql]


class TestCaps:
    def test_a_refusal_raises_it_once_where_the_caller_goes_on(self, acme, theirs):
        made(acme, hard_cap=True)
        spend(acme, "9.5")
        look(acme)
        with acting_as(acme):
            create_endpoint(url="https://acme.example/hook")
        for _ in range(3):
            with acting_as(acme), pytest.raises(BudgetReached):
                budgets.reserve(amount=Decimal(1), purpose_id=uuid4())
        assert [(one.fraction, one.severity) for one in alerts(acme)] == [
            (Decimal("0.8"), "warning"),
            (Decimal(1), "critical"),
        ]
        assert [one["type"] for one in told(acme)] == ["budget.cap_reached"]
        # It stands, though a little is left.
        assert look(acme) == []
        assert not alerts(acme)[1].resolved

    def test_an_unknown_price_is_no_reached_cap(self, acme):
        made(acme, hard_cap=True)
        with acting_as(acme), pytest.raises(BudgetReached) as refused:
            budgets.reserve(amount=None, purpose_id=uuid4())
        assert not refused.value.is_full
        assert alerts(acme) == []

    def test_a_cap_is_told_of_though_it_warns_at_nothing(self, acme):
        made(acme, hard_cap=True, warn_at=[])
        spend(acme, "10")
        assert look(acme) == [(Decimal(1), "critical")]


class TestResolving:
    def test_a_raised_limit_resolves_and_warns_anew(self, acme, bolt, theirs):
        budget = made(acme)
        spend(acme, "10")
        look(acme)
        look(bolt)
        before = alerts(bolt)
        with acting_as(acme):
            change_budget(budget.pk, limit_usd=Decimal(12))
        first, second = alerts(acme)
        assert (first.resolved, second.resolved) == (False, True)
        assert second.resolved_at is not None
        spend(acme, "2")
        assert look(acme) == [(Decimal(1), "critical")]
        second = alerts(acme)[1]
        assert (second.resolved, second.resolved_at, second.threshold) == (False, None, 12)
        assert [one.resolved for one in alerts(bolt)] == [one.resolved for one in before] == [False, False]

    def test_a_lowered_limit_warns_at_once(self, acme):
        budget = made(acme)
        spend(acme, "5")
        with acting_as(acme):
            change_budget(budget.pk, limit_usd=Decimal(5))
        assert [alert.fraction for alert in alerts(acme)] == [Decimal("0.8"), Decimal(1)]

    def test_a_new_period_resolves_all_of_the_old_one(self, acme, monkeypatch):
        budget = made(acme, period="daily")
        spend(acme, "10")
        look(acme)
        with acting_as(acme):
            # The day is over.
            type(budget).objects.update(
                period_start=budget.period_start - timedelta(days=1), period_end=budget.period_start
            )
            BudgetAlert.objects.update(period_start=budget.period_start - timedelta(days=1))
        assert look(acme) == [(Decimal("0.8"), "warning"), (Decimal(1), "critical")]
        by_period = {(one.period_start == budget.period_start, one.resolved) for one in alerts(acme)}
        assert by_period == {(True, False), (False, True)}

    def test_deleting_a_budget_takes_its_alerts(self, client, acme, redis):
        budget = made(acme)
        spend(acme, "10")
        look(acme)
        assert caller(client, acme)("DELETE", f"budgets/{budget.pk}/").status_code == 204
        assert alerts(acme) == []


class TestTelling:
    @pytest.fixture(autouse=True)
    def _people(self, acme, bolt, settings):
        settings.EMAIL_URL = "smtp://mail.example"
        for tenant, slug in ((acme, "acme"), (bolt, "bolt")):
            with acting_as(tenant):
                create_user(f"owner@{slug}.com", "x" * 12, role=Role.OWNER)
                create_user(f"member@{slug}.com", "x" * 12, role=Role.MEMBER)

    def test_owners_and_admins_get_a_letter_each(self, acme, theirs):
        with acting_as(acme):
            create_user("admin@acme.com", "x" * 12, role=Role.ADMIN)
        made(acme, custom_message="Ask Ada before raising it.")
        spend(acme, "8")
        look(acme)
        assert telling.send_letters() == 2
        assert {letter.to[0] for letter in mail.outbox} == {"owner@acme.com", "admin@acme.com"}
        letter = mail.outbox[0]
        assert letter.subject == "Acme: 80 % of the monthly budget of $10.00 are spent"
        assert "Acme has spent $8.00 of the monthly budget of $10.00." in letter.body
        assert "Nothing is refused" in letter.body
        assert "Ask Ada" in letter.body
        assert alerts(acme)[0].notifications_sent == 2
        assert telling.send_letters() == 0

    def test_the_recipients_where_there_are_some_and_not_where_it_is_not_wanted(self, acme):
        made(acme, recipients=["cfo@acme.com"], hard_cap=True, channels=["email"])
        made(acme, channels=["webhook"])
        with acting_as(acme):
            create_endpoint(
                url="https://acme.example/hook", events=["budget.cap_reached", "budget.threshold_reached"]
            )
        spend(acme, "10")
        look(acme)
        assert telling.send_letters() == 2
        assert {letter.to[0] for letter in mail.outbox} == {"cfo@acme.com"}
        assert any("refused until" in letter.body for letter in mail.outbox)
        assert [one["type"] for one in told(acme)] == ["budget.threshold_reached"] * 2

    def test_a_mail_server_that_is_away_delays_and_nobody_gets_two(self, acme, monkeypatch):
        made(acme, recipients=["one@acme.com", "two@acme.com"], warn_at=[Decimal(1)])
        spend(acme, "10")
        look(acme)
        sent, real = [], telling.mailing.send

        def fails_at_the_second(to, *text):
            sent.append(to)
            if len(sent) == 2:
                raise OSError("away")
            return real(to, *text)

        monkeypatch.setattr(telling.mailing, "send", fails_at_the_second)
        assert telling.send_letters() == 0
        now = clock.now()
        monkeypatch.setattr(clock, "now", lambda: now + timedelta(minutes=6))
        assert telling.send_letters() == 1
        assert [letter.to[0] for letter in mail.outbox] == ["one@acme.com", "two@acme.com"]
        assert alerts(acme)[0].notifications_sent == 2

    def test_what_is_rolled_back_is_told_to_nobody(self, acme):
        made(acme)
        spend(acme, "10")
        with pytest.raises(ZeroDivisionError), acting_as(acme):
            assert alerting.raise_due() != []
            raise ZeroDivisionError
        assert telling.send_letters() == 0
        assert alerts(acme) == []

    def test_the_event_is_what_rest_shows(self, client, acme, redis, theirs):
        budget = made(acme)
        with acting_as(acme):
            create_endpoint(url="https://acme.example/hook")
        spend(acme, "8")
        look(acme)
        call = caller(client, acme)
        (shown,) = every(call, "budget-alerts/")
        assert [(one["type"], one["data"]) for one in told(acme)] == [("budget.threshold_reached", shown)]
        changed = call("PATCH", f"budgets/{budget.pk}/", {"limit_usd": "20"}).json()
        assert told(acme)[1]["type"] == "budget.changed"
        assert told(acme)[1]["data"] == changed


class TestApi:
    def test_the_list_and_its_filters(self, client, acme, bolt, theirs, redis):
        look(bolt)
        budget = made(acme)
        spend(acme, "10")
        look(acme)
        with acting_as(acme):
            change_budget(budget.pk, limit_usd=Decimal(12))
        call = caller(client, acme)
        listed = every(call, "budget-alerts/", limit=1)
        assert {one["fraction"]: one["resolved"] for one in listed} == {1.0: True, 0.8: False}
        assert {one["threshold"] for one in listed} == {"10.00", "8.00"}
        (standing,) = every(call, "budget-alerts/?resolved=false")
        assert standing["fraction"] == 0.8
        assert every(call, "budget-alerts/?severity=critical&resolved=false") == []
        assert len(every(call, f"budget-alerts/?budget={budget.pk}")) == 2
        assert every(call, f"budget-alerts/?budget={theirs.pk}") == []
        assert wrong_fields(call("GET", "budget-alerts/?resolved=yes")) == {"resolved"}
        assert call("GET", f"budget-alerts/{standing['id']}/").json() == standing
        foreign = alerts(bolt)[0].pk
        assert code_of(call("GET", f"budget-alerts/{foreign}/"), 404) == "not_found"
        refused = caller(client, acme, "conversations:read")
        assert code_of(refused("GET", "budget-alerts/"), 403) == "missing_scope"
