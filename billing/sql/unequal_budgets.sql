-- Budgets of the running period whose books are not what the ledger and their holds say. Fallback prices are rounded
-- with each answer, hence the millionth of a dollar.
SELECT budgets.id, budgets.spent, ledger.spent, budgets.reserved, holds.reserved
FROM budgets
CROSS JOIN LATERAL (
    SELECT coalesce(sum(coalesce(event.cost_usd, event.tokens_used * budgets.fallback_price_usd / 1000000, 0)), 0) AS spent
    FROM cost_events AS event WHERE event.timestamp >= budgets.period_start
) AS ledger
CROSS JOIN LATERAL (
    SELECT coalesce(sum(amount), 0) AS reserved FROM budget_holds AS hold WHERE hold.budget_id = budgets.id
) AS holds
WHERE budgets.period_end > now()
    AND (abs(ledger.spent - budgets.spent) > 0.000001 OR holds.reserved <> budgets.reserved)
