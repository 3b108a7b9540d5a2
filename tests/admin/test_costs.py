"""Budgets and the page of costs."""

from datetime import timedelta
from decimal import Decimal

import pytest

from billing.admin.budgets import BudgetBar
from billing.costs.models import Budget, CostSummary
from billing.costs.summaries import CostReport
from kernel.clock import now
from kernel.errors import InvalidInput
from tenants.context import acting_as
from tenants.permissions import Role
from tests.admin.rows import address


class TestBudgets:
    FORM = {"period": "monthly", "limit_usd": "250", "hard_cap": "on", "fallback_price_usd": "", "degrade": "",
            "warn_at": "0.5\n0.8", "recipients": "a@acme.example", "custom_message": ""}  # fmt: skip

    def test_an_owner_makes_and_changes_one(self, acme, sign_in):
        client = sign_in(acme)
        assert client.post("/admin/billing/budget/add/", self.FORM).status_code == 302
        with acting_as(acme):
            budget = Budget.objects.get()
        assert (budget.limit_usd, budget.warn_at) == (250, [Decimal("0.5"), Decimal("0.8")])
        changed = client.post(address(Budget, "change", budget.pk), {**self.FORM, "limit_usd": "300"})
        assert changed.status_code == 302
        assert "$300" in client.get(address(Budget)).content.decode()

    @pytest.mark.parametrize(
        ("field", "value"), [("limit_usd", "-1"), ("warn_at", "half"), ("recipients", "me")]
    )
    def test_what_is_refused(self, acme, sign_in, field, value):
        response = sign_in(acme).post("/admin/billing/budget/add/", {**self.FORM, field: value})
        assert response.status_code == 200
        assert response.context["adminform"].form.errors

    def test_an_admin_only_reads(self, filled, acme, sign_in):
        client = sign_in(acme, Role.ADMIN)
        assert client.get(address(Budget)).status_code == 200
        assert client.get("/admin/billing/budget/add/").status_code == 403


class TestOverview:
    PATH = "/admin/costs/"

    @pytest.mark.parametrize("by", ["service", "model", "feature", "nonsense"])
    def test_what_was_spent_on_what(self, filled, acme, bolt, sign_in, by):
        for tenant in (acme, bolt):
            with acting_as(tenant) as ref:
                summarise(tenant.slug)
            assert ref.id == tenant.pk
        page = sign_in(acme).get(self.PATH, {"by": by})
        (share,) = page.context["shares"]
        name = {"model": "acme model", "feature": "acme feature"}.get(by, "Language model")
        assert (share.name, share.cost, share.tokens, share.events, share.unpriced) == (
            name,
            "$1.50",
            20,
            3,
            1,
        )
        assert page.context["total"] == "$1.50"
        html = page.content.decode()
        assert "bolt" not in html
        assert "1 without a price" in html

    def test_the_dearest_conversations_are_ones_own(self, filled, acme, sign_in):
        ours, theirs = filled
        html = sign_in(acme).get(self.PATH).content.decode()
        assert str(ours.pk) in html
        assert str(theirs.pk) not in html

    def test_a_tenant_without_any_sees_what_to_do(self, acme, sign_in):
        html = sign_in(acme).get(self.PATH).content.decode()
        assert "Nothing was spent" in html
        assert "Add a budget" in html
        assert "Add a budget" not in sign_in(acme, Role.ADMIN).get(self.PATH).content.decode()

    def test_too_many_to_draw_is_said(self, acme, sign_in, monkeypatch):
        def refuses(**asked):
            if asked.get("by"):
                raise InvalidInput.of("start", "more than 10,000 rows")
            return CostReport(
                [], {"total_cost_usd": Decimal(7), "total_tokens": 1, "event_count": 1, "unpriced_count": 0}
            )

        monkeypatch.setattr("config.dashboard_costs.summaries", refuses)
        html = sign_in(acme).get(self.PATH).content.decode()
        assert "too many to draw" in html
        assert "$7.00" in html


def summarise(mark):
    start = now().replace(hour=0, minute=0, second=0, microsecond=0)
    CostSummary.objects.create(
        period="day", period_start=start, period_end=start + timedelta(days=1), service="llm", provider="openai",
        model=f"{mark} model", feature=f"{mark} feature", total_cost_usd=Decimal("1.5"), total_tokens=20, event_count=3,
        unpriced_count=1,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spent", "reserved", "cap", "state", "note"),
    [("10", "0", True, "fine", ""), ("70", "15", True, "warned", "above 80 %"), ("90", "20", True, "full", "refused"),
     ("300", "0", False, "full", "passed")],
)  # fmt: skip
def test_a_budgets_bar(spent, reserved, cap, state, note):
    budget = Budget(
        limit_usd=Decimal(100), spent=Decimal(spent), reserved=Decimal(reserved), hard_cap=cap,
        warn_at=[Decimal("0.8"), Decimal(1)],
    )  # fmt: skip
    bar = BudgetBar.of(budget)
    assert bar.state == state
    assert note in bar.note
    assert 0 <= bar.spent + bar.reserved <= 100


def test_a_budget_without_a_limit_to_divide_by_is_full():
    assert BudgetBar.of(Budget(limit_usd=Decimal(0), spent=Decimal(1), reserved=Decimal(0))).spent == 100
