-- Add what new events cost to their sessions, locked in the order of their ids.
WITH cost AS MATERIALIZED (
    SELECT session.id, given.amount
    FROM sessions AS session JOIN unnest(%(sessions)s::uuid[], %(costs)s::numeric[]) AS given (id, amount) USING (id)
    ORDER BY session.id
    FOR UPDATE OF session
)
UPDATE sessions SET cost_usd = cost_usd + cost.amount FROM cost WHERE sessions.id = cost.id
