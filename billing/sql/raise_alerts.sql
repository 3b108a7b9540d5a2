-- An alert for every share of its limit that a budget has reached in its period, once each; the hard-capped budget
-- `refused_by` has reached its whole limit by refusing a call. One that was resolved, because the limit was raised, is
-- raised again when that limit's share is reached, too. Returns what is new.
INSERT INTO budget_alerts (
    id, tenant_id, budget_id, period_start, fraction, threshold, current_spend, period, severity, notifications_sent,
    triggered_at, resolved, metadata, created_at, updated_at
)
SELECT
    uuidv7(), budget.tenant_id, budget.id, budget.period_start, share.fraction,
    round(least(budget.limit_usd * share.fraction, 99999999.99), 2), budget.spent, budget.period,
    CASE WHEN share.fraction >= 1 THEN 'critical' ELSE 'warning' END, 0, %(now)s, false,
    jsonb_build_object(
        'recipients', to_jsonb(budget.recipients), 'channels', to_jsonb(budget.channels),
        'customMessage', budget.custom_message
    ),
    %(now)s, %(now)s
FROM budgets AS budget
CROSS JOIN LATERAL (
    SELECT DISTINCT given AS fraction
    FROM unnest(budget.warn_at::numeric[] || CASE WHEN budget.hard_cap THEN '{1}' ELSE '{}' END::numeric[]) AS given
) AS share
WHERE budget.period_end > %(now)s
    AND (
        (budget.spent > 0 AND budget.spent >= share.fraction * budget.limit_usd)
        OR (budget.id = %(refused_by)s AND share.fraction = 1)
    )
ON CONFLICT (tenant_id, budget_id, period_start, fraction) DO UPDATE SET
    threshold = excluded.threshold, current_spend = excluded.current_spend, triggered_at = excluded.triggered_at,
    resolved = false, resolved_at = NULL, metadata = excluded.metadata, updated_at = excluded.updated_at
WHERE budget_alerts.resolved
RETURNING id
