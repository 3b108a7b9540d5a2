-- Alerts whose time is over: the budget's period has turned, or its limit was raised above what is spent.
UPDATE budget_alerts SET resolved = true, resolved_at = %(now)s, updated_at = %(now)s
FROM budgets AS budget
WHERE budget.id = budget_alerts.budget_id AND NOT budget_alerts.resolved
    AND (
        budget.period_start <> budget_alerts.period_start
        OR (
            round(least(budget.limit_usd * budget_alerts.fraction, 99999999.99), 2) > budget_alerts.threshold
            AND budget.spent < budget.limit_usd * budget_alerts.fraction
        )
    )
