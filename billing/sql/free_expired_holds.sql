-- Give back what was held by answers that never came to an end. A hold that is being settled right now is left to that.
WITH gone AS (
    DELETE FROM budget_holds
    WHERE id IN (SELECT id FROM budget_holds WHERE expires_at < now() ORDER BY id FOR UPDATE SKIP LOCKED)
    RETURNING budget_id, amount
),
freed AS (
    SELECT budget_id, sum(amount) AS amount FROM gone GROUP BY budget_id
)
UPDATE budgets SET reserved = greatest(budgets.reserved - freed.amount, 0), updated_at = now()
FROM freed WHERE budgets.id = freed.budget_id
