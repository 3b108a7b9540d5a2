-- Hold an amount back in every hard-capped budget, or in none. Budgets are locked in the order of their ids, so two
-- callers cannot wait for each other; each reads what the other has reserved, so the cap is never passed.
WITH locked AS MATERIALIZED (
    SELECT
        id, period, limit_usd, period_end, limit_usd - spent - reserved AS room, period_end <= now() AS has_ended,
        coalesce(%(amount)s::numeric, round(%(tokens)s * fallback_price_usd / 1000000, 10)) AS amount
    FROM budgets WHERE hard_cap ORDER BY id FOR UPDATE
),
verdict AS (
    SELECT bool_and(amount <= room AND NOT has_ended) IS TRUE AND bool_and(amount IS NOT NULL) AS is_granted FROM locked
),
held AS (
    INSERT INTO budget_holds (tenant_id, budget_id, purpose_id, amount, expires_at)
    SELECT %(tenant)s, locked.id, %(purpose)s, locked.amount, now() + %(hold_for)s * interval '1 second'
    FROM locked, verdict WHERE verdict.is_granted
    ON CONFLICT (tenant_id, purpose_id, budget_id) DO NOTHING
    RETURNING budget_id, amount
),
taken AS (
    UPDATE budgets SET reserved = budgets.reserved + held.amount, updated_at = now()
    FROM held WHERE budgets.id = held.budget_id
)
SELECT locked.id, period, limit_usd, period_end, has_ended, amount, amount <= room AS fits, is_granted
FROM locked, verdict
