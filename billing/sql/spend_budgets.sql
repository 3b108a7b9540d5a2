-- Count new events in every budget whose period they fall into, and give back what was held for `purpose`, if anything
-- was: says how much at most. Budgets are locked first, as everywhere, in the order of their ids; a row that waited for
-- its lock is read as it is now, so two answers at once both count, and a period that has just turned is not charged for
-- the one before. A function for the same reason as reserve_budgets.
--
-- Events are fetched by their ids, one by one: a join was answered by reading the tenant's whole period.
CREATE FUNCTION public.spend_budgets(new_events uuid[], purpose uuid)
RETURNS numeric
LANGUAGE plpgsql
AS $$
DECLARE
    held numeric;
BEGIN
    PERFORM FROM budgets ORDER BY id FOR UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;
    WITH gone AS (
        DELETE FROM budget_holds WHERE purpose_id = purpose RETURNING budget_id, amount
    ),
    added AS (
        SELECT
            budget.id,
            sum(coalesce(event.cost_usd, event.tokens_used * budget.fallback_price_usd / 1000000, 0)) AS amount
        FROM budgets AS budget,
             unnest(new_events) AS new (id),
             LATERAL (
                 SELECT e.cost_usd, e.tokens_used, e.timestamp FROM cost_events AS e WHERE e.id = new.id OFFSET 0
             ) AS event
        WHERE event.timestamp >= budget.period_start
        GROUP BY budget.id
    ),
    changed AS (
        UPDATE budgets SET
            spent = budgets.spent + coalesce(change.spent, 0),
            reserved = greatest(budgets.reserved - coalesce(change.freed, 0), 0),
            updated_at = now()
        FROM (
            SELECT coalesce(added.id, gone.budget_id) AS id, added.amount AS spent, gone.amount AS freed
            FROM added FULL JOIN gone ON gone.budget_id = added.id
        ) AS change
        WHERE budgets.id = change.id
    )
    SELECT max(amount) INTO held FROM gone;
    RETURN held;
END
$$
