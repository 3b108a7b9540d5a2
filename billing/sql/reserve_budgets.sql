-- Hold an amount back in every hard-capped budget, or in none: true when held, false when refused, NULL when there is no
-- such budget. Budgets are locked in the order of their ids, so two callers cannot wait for each other; each then reads
-- what the other has reserved, so a cap is never passed.
--
-- A function, for its plans are made once per connection: as one statement half of its time was planning. It has the
-- caller's rights and reads the caller's schema.
CREATE FUNCTION public.reserve_budgets(
    for_tenant uuid, for_purpose uuid, asked numeric, tokens bigint, held_until timestamptz
)
RETURNS boolean
LANGUAGE plpgsql
AS $$
DECLARE
    budget record;
    needed numeric;
    granted boolean;
BEGIN
    FOR budget IN
        SELECT limit_usd - spent - reserved AS room, period_end <= now() AS has_ended, fallback_price_usd
        FROM budgets WHERE hard_cap ORDER BY id FOR UPDATE
    LOOP
        needed := coalesce(asked, round(tokens * budget.fallback_price_usd / 1000000, 10));
        granted := coalesce(granted, true) AND needed IS NOT NULL AND needed <= budget.room AND NOT budget.has_ended;
    END LOOP;
    IF granted THEN
        WITH held AS (
            INSERT INTO budget_holds (tenant_id, budget_id, purpose_id, amount, expires_at)
            SELECT for_tenant, id, for_purpose, coalesce(asked, tokens * fallback_price_usd / 1000000), held_until
            FROM budgets WHERE hard_cap
            ON CONFLICT (tenant_id, purpose_id, budget_id) DO NOTHING
            RETURNING budget_id, amount
        )
        UPDATE budgets SET reserved = reserved + held.amount, updated_at = now()
        FROM held WHERE budgets.id = held.budget_id;
    END IF;
    RETURN granted;
END
$$
