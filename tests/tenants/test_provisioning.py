"""What a new tenant starts with, whoever makes it: all of it or nothing."""

from decimal import Decimal

import pytest
from django.core.management import CommandError, call_command

from billing.costs import budgets
from billing.costs.models import Budget
from kernel.errors import Conflict, InvalidInput
from tenants.context import acting_as
from tenants.directory import resolve_tenant
from tenants.models import KeyKind, Plan, Tenant, TenantStatus
from tenants.provisioning import provision
from widgets.models import Personality, PersonalityVersion, Widget

pytestmark = pytest.mark.django_db


def test_it_has_a_default_personality_a_widget_that_uses_it_and_a_budget(acme, bolt):
    north = provision("North Ltd", "north", websites=["https://north.example"])
    with acting_as(north):
        personality, widget, budget = Personality.objects.get(), Widget.objects.get(), Budget.objects.get()
        assert personality.is_default
        assert personality.is_active
        assert PersonalityVersion.objects.count() == 1
        assert widget.personality_id == personality.pk
        assert widget.domain_whitelist == ["https://north.example"]
        assert resolve_tenant(KeyKind.WIDGET, widget.public_key).id == north.pk
        assert (budget.limit_usd, budget.period, budget.hard_cap) == (Decimal(20), "monthly", False)
        assert budget.warn_at == [Decimal("0.8"), Decimal(1)]
        assert budget.period_start < budget.period_end
        assert budgets.reconcile() == []
    for other in (acme, bolt):
        with acting_as(other):
            assert not Widget.objects.exists()
            assert not Budget.objects.exists()
            assert not Personality.objects.exists()


@pytest.mark.parametrize(
    ("plan", "stored", "status", "limit", "is_capped"),
    [
        (Plan.STARTER, {}, TenantStatus.TRIALING, 20, True),
        (Plan.GROWTH, {}, TenantStatus.ACTIVE, 100, False),
        (Plan.BUSINESS, {}, TenantStatus.ACTIVE, 500, False),
        (Plan.ENTERPRISE, {}, TenantStatus.ACTIVE, 2000, False),
        (Plan.BUSINESS, {"maxMonthlySpend": 1000}, TenantStatus.ACTIVE, 1000, False),
    ],
)
def test_the_budget_goes_by_plan_and_is_a_cap_on_trial(plan, stored, status, limit, is_capped):
    north = provision("North", "north", plan=plan, settings=stored, status=status)
    with acting_as(north):
        budget = Budget.objects.get()
    assert (budget.limit_usd, budget.hard_cap) == (limit, is_capped)
    # A cap without a fallback price would refuse every answer of a model whose price nobody knows.
    assert (budget.fallback_price_usd is not None) is is_capped


def test_what_is_refused_leaves_nothing_behind(acme):
    for slug, websites, error in (
        ("acme", [], Conflict),
        ("north", ["no origin"], InvalidInput),
        ("No Slug", [], InvalidInput),
        ("-north", [], InvalidInput),
        ("n" * 64, [], InvalidInput),
        ("", [], InvalidInput),
    ):
        with pytest.raises(error):
            provision("North", slug, websites=websites)
        assert resolve_tenant(KeyKind.SLUG, "north") is None


def test_the_command_makes_one_that_is_ready(db, capsys):
    call_command(
        "create_tenant", "north", "North Ltd", "--plan", "growth", "--website", "https://north.example"
    )
    slug, identifier = capsys.readouterr().out.split()
    ref = resolve_tenant(KeyKind.SLUG, "north")
    assert (slug, identifier) == ("north", str(ref.id))
    with acting_as(ref):
        assert Tenant.objects.get().plan == "growth"
        assert Widget.objects.get().domain_whitelist == ["https://north.example"]
    with pytest.raises(CommandError, match="already in use"):
        call_command("create_tenant", "north", "Other")


def test_one_in_a_schema_of_its_own_has_them_there(cargo):
    dray = provision("Dray", "dray", plan=Plan.ENTERPRISE, schema_name=cargo.schema_name)
    with acting_as(dray):
        assert Widget.objects.count() == Budget.objects.count() == Personality.objects.count() == 1
    with acting_as(cargo):
        assert not Widget.objects.exists()
