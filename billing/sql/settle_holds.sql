-- Give back what was held for a purpose. The budgets are locked before the holds are touched, as everywhere; counting
-- them makes PostgreSQL lock all of them first.
WITH locked AS MATERIALIZED (
    SELECT id FROM budgets ORDER BY id FOR UPDATE
),
gone AS (
    DELETE FROM budget_holds
    WHERE purpose_id = %(purpose)s AND (SELECT count(*) FROM locked) > 0
    RETURNING budget_id, amount
)
UPDATE budgets SET reserved = greatest(budgets.reserved - gone.amount, 0), updated_at = now()
FROM gone WHERE budgets.id = gone.budget_id
RETURNING gone.amount
