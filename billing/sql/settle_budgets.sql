-- Give back what was held for a purpose, and say how much at most. The budgets are locked before the holds are touched,
-- as everywhere. A function for the same reason as reserve_budgets.
CREATE FUNCTION public.settle_budgets(for_purpose uuid)
RETURNS numeric
LANGUAGE plpgsql
AS $$
DECLARE
    held numeric;
BEGIN
    PERFORM FROM budgets ORDER BY id FOR UPDATE;
    WITH gone AS (
        DELETE FROM budget_holds WHERE purpose_id = for_purpose RETURNING budget_id, amount
    ),
    given_back AS (
        UPDATE budgets SET reserved = greatest(reserved - gone.amount, 0), updated_at = now()
        FROM gone WHERE budgets.id = gone.budget_id
    )
    SELECT max(amount) INTO held FROM gone;
    RETURN held;
END
$$
