"""The commands of costs."""

from datetime import UTC, datetime
from decimal import Decimal
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

import billing
from billing.costs import price_list, reconciling
from billing.models import CostSummary, ModelPrice
from tenants.context import acting_as
from tests.billing.spending import fold_all, spend, totals

pytestmark = pytest.mark.django_db(transaction=True)


def test_prices_become_public_rows_once(acme, bolt):
    spend(acme, "1", model="gpt-4o-mini")
    spend(bolt, "1", provider="local", model="all-MiniLM-L6-v2", service="embedding")
    fold_all(acme)
    fold_all(bolt)
    out, err = StringIO(), StringIO()
    call_command("prices", stdout=out, stderr=err)
    assert out.getvalue() == "1 new prices of 1 models\n"
    with acting_as(bolt):
        row = ModelPrice.objects.get()
    assert (row.provider, row.model, row.service, row.unit, row.tenant_id) == (
        "openai",
        "gpt-4o-mini",
        "llm",
        "tokens",
        None,
    )
    assert row.output > row.input > 0
    assert "genai-prices" in row.source
    call_command("prices", "openai:gpt-4o-mini", "nobody:nothing", stdout=out, stderr=err)
    assert out.getvalue().endswith("0 new prices of 2 models\n")
    assert "nobody:nothing" in err.getvalue()
    with pytest.raises(CommandError, match="provider:model"):
        call_command("prices", "gpt-4o-mini")


def test_a_changed_price_begins_a_new_row(acme, monkeypatch):
    call_command("prices", "openai:gpt-4o-mini", stdout=StringIO())
    known = price_list.prices.lookup("openai", "gpt-4o-mini", datetime(2026, 1, 1, tzinfo=UTC))
    dearer = type(known)(known.input * 2, known.output, known.cached, known.cache_write, "a later list")
    monkeypatch.setattr(price_list.prices, "lookup", lambda *_: dearer)
    call_command("prices", "openai:gpt-4o-mini", stdout=StringIO())
    with acting_as(acme):
        newest, first = ModelPrice.objects.order_by("-effective_from")
        assert (newest.input, first.input) == (known.input * 2, known.input)
        assert newest.effective_from > first.effective_from


def test_rollup_folds_and_rebuilds_every_tenant(acme, bolt):
    for tenant in (acme, bolt):
        spend(tenant, "3")
        fold_all(tenant)
    with acting_as(acme):
        CostSummary.objects.update(total_cost_usd=99)
    call_command("rebuild_summaries", stdout=StringIO())
    for tenant in (acme, bolt):
        fold_all(tenant)
        with acting_as(tenant):
            assert totals() == totals("day") == (Decimal(3), 1)
            assert not reconciling.reconcile()


def test_reconcile_repairs_when_told(acme):
    spend(acme, "3")
    fold_all(acme)
    with acting_as(acme):
        CostSummary.objects.update(total_cost_usd=99)
    call_command("reconcile", repair=True, stderr=StringIO())
    fold_all(acme)
    call_command("reconcile")


def test_every_statement_is_used():
    room = Path(billing.__file__).parent
    code = "".join(path.read_text() for path in (*room.rglob("*.py"), *room.glob("sql/*.sql")))
    for path in (room / "sql").glob("*.sql"):
        named = (f'("{path.stem}"', f'/{path.name}"', f'"{path.name}"', f"{{{path.stem}}}")
        assert any(name in code for name in named), f"{path.name} is used by nobody"
