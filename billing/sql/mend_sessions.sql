-- What sessions cost, taken from their events again. The caller has locked them, as everything does that adds to them.
UPDATE sessions SET cost_usd = (
    SELECT coalesce(sum(event.cost_usd), 0) FROM cost_events AS event WHERE event.session_id = sessions.id
)
WHERE id = ANY(%(ids)s)
