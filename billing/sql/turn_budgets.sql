-- Move budgets to the period that now lies in, in the tenant's time zone, and count the ledger anew for it. The caller
-- has locked them, so an event is either counted here or by its own transaction, which waits for the lock; holds come
-- and go under that lock too.
UPDATE budgets SET
    period_start = turn.starts,
    period_end = turn.ends,
    spent = (
        SELECT coalesce(sum(coalesce(event.cost_usd, event.tokens_used * budgets.fallback_price_usd / 1000000, 0)), 0)
        FROM cost_events AS event WHERE event.timestamp >= turn.starts
    ),
    reserved = (SELECT coalesce(sum(hold.amount), 0) FROM budget_holds AS hold WHERE hold.budget_id = budgets.id),
    updated_at = now()
FROM (
    SELECT
        budgets.id,
        public.first_moment(date_trunc(step.unit, now() AT TIME ZONE %(zone)s)::date, %(zone)s) AS starts,
        public.first_moment(
            (date_trunc(step.unit, now() AT TIME ZONE %(zone)s) + step.length)::date, %(zone)s
        ) AS ends
    FROM budgets
    JOIN (
        VALUES ('daily', 'day', interval '1 day'), ('weekly', 'week', interval '1 week'),
            ('monthly', 'month', interval '1 month')
    ) AS step (period, unit, length) ON step.period = budgets.period
) AS turn
WHERE turn.id = budgets.id AND (%(all)s OR budgets.period_end <= now())
