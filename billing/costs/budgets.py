"""Budgets: money is held back before a call is made, so that calls at once can never pass a hard cap together.

    reserve(amount, purpose)        a short transaction of its own, before the call
    ledger.record(events)           adds what was spent to every budget, in the transaction that stores the answer
    settle(purpose, spent)          gives the hold back, in that same transaction

Reading the balance, checking it and writing it overspent by 15 to 25 % with concurrent callers; one statement that
checks under the row's lock never did (measured.md section 3).
"""

import logging
import uuid
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final, NamedTuple

from django.db import connection

from billing.costs import alerting, pricing
from billing.costs.models import Budget, BudgetHold, BudgetPeriod
from billing.costs.statements import statement
from billing.costs.timezones import tenant_timezone
from kernel import clock, measuring
from kernel.errors import FrontdeskError
from kernel.money import as_text
from tenants.context import require_tenant
from tenants.db.prepared import prepared_cursor

# Longer than any answer may take. A hold older than this is of a process that died; it frees itself.
HOLD_FOR: Final = timedelta(minutes=15)

CHANGEABLE: Final = frozenset(
    {
        "period",
        "limit_usd",
        "warn_at",
        "hard_cap",
        "fallback_price_usd",
        "degrade",
        "recipients",
        "channels",
        "custom_message",
    }
)

logger = logging.getLogger(__name__)


class BudgetReached(FrontdeskError):
    """A hard-capped budget has no room for this, or the price is unknown and cannot be held back.

    `resets_at` is when the budget's next period begins, `degrade` what its owner wants answers to do until then;
    `is_full` is false where a price was unknown.
    """

    code = "budget_reached"

    def __init__(
        self,
        detail: str,
        *,
        budget_id: uuid.UUID,
        resets_at: datetime,
        degrade: str = "",
        is_full: bool = True,
    ) -> None:
        super().__init__(detail)
        self.is_full = is_full
        self.budget_id = budget_id
        self.resets_at = resets_at
        self.degrade = degrade


class Imbalance(NamedTuple):
    """A budget whose books are wrong."""

    budget_id: uuid.UUID
    spent: Decimal
    expected_spent: Decimal
    reserved: Decimal
    expected_reserved: Decimal


def reserve(*, amount: Decimal | None, purpose_id: uuid.UUID, tokens: int = 0) -> uuid.UUID | None:
    """Hold `amount` dollars back in every hard-capped budget of the acting tenant; returns `purpose_id`, or None where
    nothing needs holding. Raises BudgetReached when one of them has no room.

    `amount` None: the price is unknown, and `tokens` are held at each budget's fallback price; a budget without one
    refuses. Call it in a transaction of its own: the tenant's budgets stay locked until that ends.
    """
    if amount is not None and amount <= 0:
        return None
    is_held = _try(amount, tokens, purpose_id)
    if is_held is False:
        # Perhaps a period has turned or a dead answer's hold has expired.
        refresh()
        is_held = (
            _try(amount, tokens, purpose_id) or BudgetHold.objects.filter(purpose_id=purpose_id).exists()
        )
        if not is_held:
            measuring.BUDGET_REFUSALS.inc()
            refusal = _refusal(amount, tokens)
            if refusal.is_full:
                # Kept where the caller does without, as a chat's answer does; where the refusal ends the caller's
                # transaction as well, the alert waits for one that it does not end, or for the money to be spent.
                alerting.raise_due(refused_by=refusal.budget_id)
            raise refusal
    return purpose_id if is_held else None


def settle(purpose_id: uuid.UUID, spent: Decimal | None = None) -> None:
    """Give back what `reserve` held for `purpose_id`; idempotent. What was really spent is counted by `ledger.record`,
    in the same transaction and before this; `spent` is compared with the hold, so that too small estimates are noticed.
    """
    with prepared_cursor() as cursor:
        cursor.execute("SELECT public.settle_budgets(%s)", [purpose_id])
        (held,) = cursor.fetchone()
    _compare(purpose_id, spent, held)


def spend(
    event_ids: Sequence[uuid.UUID], *, settling: uuid.UUID | None = None, spent: Decimal | None = None
) -> None:
    """Count new events of the acting tenant in its budgets and, in the same statement, settle the purpose they were
    for, as `settle` does. Only `ledger.write` calls this."""
    with prepared_cursor() as cursor:
        cursor.execute("SELECT public.spend_budgets(%s, %s)", [list(event_ids), settling])
        (held,) = cursor.fetchone()
    if settling is not None:
        _compare(settling, spent, held)


def change(budget_id: uuid.UUID, **values: Any) -> None:
    """Change a budget of the acting tenant: `values` by field name, `spent` and `reserved` not among them. The only way
    to change one: saving the whole row would write an old balance over what answers have reserved meanwhile."""
    if not values.keys() <= CHANGEABLE:
        raise ValueError(f"not a field of a budget that may be changed: {sorted(values.keys() - CHANGEABLE)}")
    _await_writers()
    _lock()
    Budget.objects.filter(pk=budget_id).update(**values, updated_at=clock.now())
    refresh(recount=True)


def refresh(*, recount: bool = False) -> None:
    """Free expired holds of the acting tenant and begin the new period where one has ended. `recount`: take `spent` of
    every budget from the ledger again: in the transaction that makes a budget, and after a change of the tenant's time
    zone. Call that before anything that locks budgets."""
    if recount:
        _await_writers()
    _lock()
    with connection.cursor() as cursor:
        cursor.execute(statement("free_expired_holds"))
        cursor.execute(statement("turn_budgets"), {"zone": tenant_timezone(), "all": recount})


def reconcile() -> list[Imbalance]:
    """Budgets of the acting tenant whose books are not what its ledger and its holds say; empty when all is well."""
    with connection.cursor() as cursor:
        cursor.execute(statement("unequal_budgets"))
        return [Imbalance(*row) for row in cursor.fetchall()]


def _await_writers() -> None:
    """Wait for the acting tenant's transactions that have written events, and hold up new ones until this one ends: one
    that cannot see a new budget would count its events in it as little as we do (billing/sql/has_budgets.sql). Before
    budgets are locked, as writers have it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtextextended('cost_events ' || %s::text, 0))",
            [str(require_tenant().id)],
        )


def _compare(purpose_id: uuid.UUID, spent: Decimal | None, held: Decimal | None) -> None:
    if spent is not None and held is not None and spent > held:
        logger.warning("purpose %s spent $%s, more than the $%s held for it", purpose_id, spent, held)


def _lock() -> None:
    """Lock the acting tenant's budgets in the order of their ids, as everything does that locks more than one."""
    list(Budget.objects.select_for_update().order_by("id").values_list("id"))


def _try(amount: Decimal | None, tokens: int, purpose_id: uuid.UUID) -> bool | None:
    """Whether it is held now; None where there is no budget with a hard cap."""
    values = [require_tenant().id, purpose_id, amount, tokens, clock.now() + HOLD_FOR]
    with prepared_cursor() as cursor:
        cursor.execute("SELECT public.reserve_budgets(%s, %s, %s, %s, %s)", values)
        (is_held,) = cursor.fetchone()
    return None if is_held is None else bool(is_held)


def _refusal(amount: Decimal | None, tokens: int) -> BudgetReached:
    """Which budget refused, for the caller to read; those that no longer do are passed over."""
    capped = list(Budget.objects.filter(hard_cap=True).order_by("id"))
    chosen, is_priced = capped[0], True
    for budget in capped:
        needed = amount
        if needed is None and budget.fallback_price_usd is not None:
            needed = tokens * budget.fallback_price_usd / pricing.MILLION
        if needed is None or budget.spent + budget.reserved + needed > budget.limit_usd:
            chosen, is_priced = budget, needed is not None
            break
    name = f"the {BudgetPeriod(chosen.period).label.lower()} budget of ${as_text(chosen.limit_usd)}"
    if is_priced:
        detail = f"There is no room left in {name}; it begins anew at {chosen.period_end:%Y-%m-%d %H:%M} UTC."
    else:
        detail = f"The price of this model is not known, and {name} is a hard cap without a fallback price."
    return BudgetReached(
        detail,
        budget_id=chosen.id,
        resets_at=chosen.period_end,
        degrade=chosen.degrade,
        is_full=is_priced,
    )
