-- By how many events without a price this one makes them more: the first price of such an event takes it back.
CASE
    WHEN corrects_id IS NULL THEN (cost_usd IS NULL)::int
    ELSE -coalesce((
        SELECT (first.cost_usd IS NULL)::int FROM cost_events AS first
        WHERE first.id = written.corrects_id AND NOT EXISTS (
            SELECT FROM cost_events AS earlier
            WHERE earlier.corrects_id = first.id AND earlier.id < written.id
        )
    ), 0)
END
