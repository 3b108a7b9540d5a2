-- Count new events in every budget whose period they fall into. A row that waited for its lock is read as it is now, so
-- two answers at once both count, and a period that has just turned is not charged for the one before.
WITH locked AS MATERIALIZED (
    SELECT id, period_start, fallback_price_usd FROM budgets ORDER BY id FOR UPDATE
),
added AS (
    SELECT
        locked.id,
        sum(coalesce(event.cost_usd, event.tokens_used * locked.fallback_price_usd / 1000000, 0)) AS amount
    FROM locked JOIN cost_events AS event ON event.timestamp >= locked.period_start
    WHERE event.id = ANY(%(ids)s)
    GROUP BY locked.id
)
UPDATE budgets SET spent = budgets.spent + added.amount, updated_at = now()
FROM added WHERE budgets.id = added.id
