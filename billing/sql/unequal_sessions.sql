-- Sessions that do not cost what their events say; those begun before `since` may have lost events to retention.
SELECT session.id, session.cost_usd, ledger.cost_usd
FROM sessions AS session
CROSS JOIN LATERAL (
    SELECT coalesce(sum(event.cost_usd), 0) AS cost_usd FROM cost_events AS event WHERE event.session_id = session.id
) AS ledger
WHERE session.cost_usd <> ledger.cost_usd AND session.created_at >= %(since)s
ORDER BY session.id
