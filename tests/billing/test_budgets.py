"""Budgets: never over a hard cap, never refused without reason."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4
from zoneinfo import ZoneInfo

import pytest
from django.db import OperationalError, connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from billing.costs import budgets, ledger
from billing.costs.budgets import BudgetReached
from billing.models import Budget, BudgetHold
from kernel import clock
from tenants.context import acting_as
from tenants.models import Tenant
from tests.billing.spending import at_once, budget, event, spend


def reserve(tenant, amount="1", purpose=None, **rest):
    purpose = purpose or uuid4()
    with acting_as(tenant):
        return budgets.reserve(amount=None if amount is None else Decimal(amount), purpose_id=purpose, **rest)


def books(tenant, row):
    with acting_as(tenant):
        row.refresh_from_db()
        return row.spent, row.reserved


def test_without_a_budget_nothing_is_held(acme, bolt):
    budget(bolt, "0")
    assert reserve(acme) is None
    assert reserve(acme, None) is None
    with acting_as(acme):
        assert not BudgetHold.objects.exists()


def test_a_soft_budget_counts_and_refuses_nobody(acme):
    soft = budget(acme, "1", hard_cap=False)
    assert reserve(acme, "5") is None
    spend(acme, "3")
    assert books(acme, soft)[0] in (0, 3)  # a new budget is counted at the first look
    with acting_as(acme):
        budgets.refresh()
    assert books(acme, soft) == (3, 0)
    spend(acme, "2")
    assert books(acme, soft) == (5, 0)


def test_what_is_held_is_given_back_when_the_answer_is_paid(acme, bolt):
    cap, theirs = budget(acme, "10"), budget(bolt, "10")
    purpose = uuid4()
    assert reserve(acme, "4", purpose) == purpose
    assert books(acme, cap) == (0, 4)
    with acting_as(acme):
        ledger.record([event("3"), event("0.5")])
        budgets.settle(purpose, Decimal("3.5"))
        budgets.settle(purpose, Decimal("3.5"))
    assert books(acme, cap) == (Decimal("3.5"), 0)
    assert books(bolt, theirs) == (0, 0)


def test_exactly_as_many_pass_as_there_is_room_for(acme, bolt, transactional_db):
    cap = budget(acme, "10")
    budget(bolt, "0")

    def ask(_):
        try:
            return reserve(acme, "1") is not None
        except BudgetReached:
            return False

    assert sum(at_once(64, ask, threads=32)) == 10
    assert books(acme, cap) == (0, 10)


def test_answers_at_once_are_held_paid_and_settled_exactly(acme, transactional_db):
    """Daily, weekly and soft budgets at once: no deadlock, no lost update, never over."""
    rows = [
        budget(acme, "20", period="daily"),
        budget(acme, "30", period="weekly"),
        budget(acme, "5", hard_cap=False),
    ]
    over = []

    def answer(number):
        purpose = uuid4()
        try:
            reserve(acme, "1", purpose)
        except BudgetReached:
            return 0
        with acting_as(acme):
            ledger.record([event("0.75", idempotency_key=f"answer:{number}")])
            budgets.settle(purpose, Decimal("0.75"))
            spent, reserved = Budget.objects.values_list("spent", "reserved").get(pk=rows[0].pk)
        if spent + reserved > 20:
            over.append((spent, reserved))
        return 1

    passed = sum(at_once(64, answer))
    assert not over
    # Exactly while a further dollar still fitted: 19 is the last balance from which one may start.
    assert 20 <= passed <= 26
    for row in rows:
        assert books(acme, row) == (passed * Decimal("0.75"), 0)


def test_the_tightest_budget_decides_and_the_others_hold_nothing(acme):
    wide, tight = budget(acme, "100"), budget(acme, "1", period="daily")
    reserve(acme, "0.9")
    with pytest.raises(BudgetReached) as refusal:
        reserve(acme, "0.2")
    assert refusal.value.budget_id == tight.pk
    assert refusal.value.code == "budget_reached"
    assert "daily budget of $1" in refusal.value.detail
    assert refusal.value.resets_at > clock.now()
    assert books(acme, wide) == (0, Decimal("0.9"))


def test_what_is_free_passes_a_used_up_cap(acme):
    budget(acme, "0")
    assert reserve(acme, "0") is None
    with pytest.raises(BudgetReached):
        reserve(acme, "0.0000000001")


def test_an_unknown_price_is_refused_unless_there_is_a_fallback(acme):
    cap = budget(acme, "1")
    with pytest.raises(BudgetReached, match="price of this model is not known"):
        reserve(acme, None, tokens=1000)
    with acting_as(acme):
        budgets.change(cap.pk, fallback_price_usd=Decimal(100))
    purpose = uuid4()
    assert reserve(acme, None, purpose, tokens=9000) == purpose
    with pytest.raises(BudgetReached, match="no room"):
        reserve(acme, None, tokens=2000)
    with acting_as(acme):
        (recorded,) = ledger.record([event(None, model="made-up")])  # 100 tokens
        budgets.settle(purpose)
        assert recorded.cost_usd is None
    assert books(acme, cap) == (Decimal("0.01"), 0)


def test_a_dead_answers_hold_frees_itself_and_its_late_event_still_counts(acme):
    cap = budget(acme, "1")
    dead = uuid4()
    reserve(acme, "1", dead)
    with pytest.raises(BudgetReached):
        reserve(acme, "0.5")
    with acting_as(acme):
        BudgetHold.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    reserve(acme, "0.5")
    assert books(acme, cap) == (0, Decimal("0.5"))
    with acting_as(acme):
        ledger.record([event("0.6")])
        budgets.settle(dead, Decimal("0.6"))
    assert books(acme, cap) == (Decimal("0.6"), Decimal("0.5"))


def test_reserving_twice_for_one_purpose_holds_once(acme):
    cap = budget(acme, "1")
    purpose = uuid4()
    assert reserve(acme, "0.6", purpose) == reserve(acme, "0.6", purpose) == purpose
    assert books(acme, cap) == (0, Decimal("0.6"))


def test_a_new_budget_counts_what_its_period_has_spent(acme, bolt):
    spend(bolt, "50")
    spend(acme, "0.7")
    spend(acme, "40", timestamp=clock.now() - timedelta(days=40))
    cap = budget(acme, "1")
    with pytest.raises(BudgetReached):
        reserve(acme, "0.4")
    reserve(acme, "0.3")
    assert books(acme, cap) == (Decimal("0.7"), Decimal("0.3"))


def test_a_new_period_begins_with_what_belongs_to_it(acme):
    cap = budget(acme, "1", period="daily")
    spend(acme, "5", timestamp=clock.now() - timedelta(days=2))
    spend(acme, "0.25")
    with acting_as(acme):
        yesterday = clock.now() - timedelta(days=1)
        Budget.objects.update(spent=5, period_start=yesterday - timedelta(days=1), period_end=yesterday)
    reserve(acme, "0.75")
    assert books(acme, cap) == (Decimal("0.25"), Decimal("0.75"))
    assert cap.period_end > clock.now() >= cap.period_start
    # An event of the day before, come late, is not this day's.
    spend(acme, "3", timestamp=cap.period_start - timedelta(seconds=1))
    assert books(acme, cap)[0] == Decimal("0.25")


@pytest.mark.parametrize(
    ("period", "zone"), [("daily", "Asia/Kolkata"), ("weekly", "America/New_York"), ("monthly", "UTC")]
)
def test_periods_begin_where_the_tenant_lives(acme, period, zone):
    with acting_as(acme):
        Tenant.objects.filter(pk=acme.pk).update(settings={"timezone": zone})
    cap = budget(acme, "1", period=period)
    reserve(acme, "0.1")
    books(acme, cap)
    start = cap.period_start.astimezone(ZoneInfo(zone))
    assert (start.hour, start.minute) == (0, 0)
    if period == "weekly":
        assert start.weekday() == 0
    if period == "monthly":
        assert start.day == cap.period_end.astimezone(ZoneInfo(zone)).day == 1


def test_turning_while_answers_are_paid_loses_nothing(acme, transactional_db):
    cap = budget(acme, "1000", period="daily")

    def work(number):
        if number % 4 == 0:
            with acting_as(acme):
                Budget.objects.update(period_end=datetime(2020, 1, 1, tzinfo=UTC))
            return reserve(acme, "0.5")
        return spend(acme, "0.25")

    at_once(80, work)
    with acting_as(acme):
        budgets.refresh()
    assert books(acme, cap) == (60 * Decimal("0.25"), 20 * Decimal("0.5"))


def test_a_killed_answer_leaves_its_hold_and_no_more(acme, transactional_db):
    cap = budget(acme, "1")
    purpose = uuid4()
    reserve(acme, "1", purpose)

    def die_while_paying():
        with acting_as(acme):
            ledger.record([event("0.5")])
            budgets.settle(purpose)
            connection.cursor().execute("SELECT pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(OperationalError):
        die_while_paying()
    connection.close()
    assert books(acme, cap) == (0, 1)
    with acting_as(acme):
        ledger.record([event("0.5")])
        budgets.settle(purpose)
    assert books(acme, cap) == (Decimal("0.5"), 0)


def test_a_hold_settled_while_it_expires_is_given_back_once(acme, transactional_db):
    cap = budget(acme, "100")
    purposes = [uuid4() for _ in range(20)]
    for purpose in purposes:
        reserve(acme, "1", purpose)
    with acting_as(acme):
        BudgetHold.objects.update(expires_at=clock.now() - timedelta(seconds=1))
    barrier = threading.Barrier(2)

    def give_back(number):
        barrier.wait(20)
        for purpose in purposes:
            with acting_as(acme):
                budgets.settle(purpose) if number else budgets.refresh()

    at_once(2, give_back, threads=2)
    assert books(acme, cap) == (0, 0)


@pytest.mark.django_db(transaction=True)
def test_a_budget_made_while_events_are_being_written_counts_them(acme, bolt):
    """The writer cannot see the budget, and whoever makes it cannot see the events: it waits for them."""
    written, finish = threading.Event(), threading.Event()

    def write_slowly():
        try:
            with acting_as(acme):
                ledger.record([event("3")])
                written.set()
                assert finish.wait(20)
        finally:
            connection.close()

    def make():
        try:
            with acting_as(acme):
                made = Budget.objects.create(limit_usd=9)
                budgets.refresh(recount=True)
            return made
        finally:
            connection.close()

    spend(bolt, "100")
    writer = threading.Thread(target=write_slowly)
    writer.start()
    assert written.wait(20)
    with ThreadPoolExecutor(1) as pool:
        making = pool.submit(make)
        spend(bolt, "1")
        time.sleep(0.2)
        assert not making.done(), "it waits for the writer"
        finish.set()
        made = making.result(20)
    writer.join()
    assert books(acme, made) == (3, 0)
    spend(acme, "1")
    assert books(acme, made) == (4, 0)


def test_reconcile_finds_wrong_books_and_a_recount_mends_them(acme, bolt):
    cap, theirs = budget(acme, "9"), budget(bolt, "9")
    for tenant in (acme, bolt):
        reserve(tenant, "1")
        spend(tenant, "2")
        with acting_as(tenant):
            assert budgets.reconcile() == []
    with acting_as(acme):
        Budget.objects.update(spent=7, reserved=3)
        assert budgets.reconcile() == [(cap.pk, 7, 2, 3, 1)]
    with acting_as(bolt):
        assert budgets.reconcile() == []
    with acting_as(acme):
        budgets.refresh(recount=True)
    assert books(acme, cap) == books(bolt, theirs) == (2, 1)


def test_only_what_an_admin_decides_can_be_changed(acme):
    cap = budget(acme, "1")
    reserve(acme, "0.4")
    with acting_as(acme):
        budgets.change(cap.pk, limit_usd=Decimal(2), period="daily")
        with pytest.raises(ValueError, match="spent"):
            budgets.change(cap.pk, spent=Decimal(0))
    assert books(acme, cap) == (0, Decimal("0.4"))
    assert (cap.limit_usd, cap.period_end - cap.period_start) == (2, timedelta(days=1))


amounts = st.decimals(min_value="0.01", max_value="3", places=4)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("reserve"), amounts),
        st.tuples(st.just("settle"), amounts),
        st.tuples(st.just("spend"), amounts),
    ),
    max_size=25,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=steps)
def test_the_books_always_balance(acme, steps):
    """Whatever happens in whatever order: reserved is the sum of the holds, spent that of the events, and nothing is
    granted past the limit."""
    with acting_as(acme):
        Budget.objects.all().delete()
    cap = budget(acme, "5", period="daily")
    with acting_as(acme):
        budgets.refresh()
    start = books(acme, cap)[0]
    spent, held = Decimal(0), {}
    for deed, amount in steps:
        if deed == "reserve":
            purpose = uuid4()
            fits = start + spent + sum(held.values()) + amount <= 5
            try:
                reserve(acme, amount, purpose)
                assert fits
                held[purpose] = amount
            except BudgetReached:
                assert not fits
        elif deed == "settle" and held:
            purpose = next(iter(held))
            del held[purpose]
            spend(acme, amount)
            spent += amount
            with acting_as(acme):
                budgets.settle(purpose, amount)
        else:
            spend(acme, amount)
            spent += amount
        assert books(acme, cap) == (start + spent, sum(held.values(), Decimal(0)))


def test_a_tenant_with_a_schema_of_its_own_has_its_own_books(acme, cargo):
    """One connection, one cached plan, two schemas."""
    rows = {tenant: budget(tenant, "2") for tenant in (acme, cargo)}
    for _ in range(7):
        for tenant, row in rows.items():
            purpose = uuid4()
            reserve(tenant, "0.5", purpose)
            assert books(tenant, row) == (0, Decimal("0.5"))
            with acting_as(tenant):
                budgets.settle(purpose)
            assert books(tenant, row) == (0, 0)
