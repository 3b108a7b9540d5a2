-- Buckets whose summary is not the sum over the events that are folded. One statement, so one snapshot: a fold at the
-- same moment is seen whole or not at all.
WITH mark AS (
    SELECT folded_to, timezone FROM rollup_watermarks
),
expected AS (
    SELECT
        CASE WHEN grouping(hour) = 0 THEN 'hour' ELSE 'day' END AS period,
        coalesce(hour, day) AS period_start,
        service, provider, model, feature,
        coalesce(sum(cost_usd), 0) AS total_cost_usd,
        sum(tokens_used) AS total_tokens,
        count(*) FILTER (WHERE corrects_id IS NULL) AS event_count,
        count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_count
    FROM (
        SELECT
            date_trunc('hour', event.timestamp, 'UTC') AS hour,
            date_trunc('day', event.timestamp, mark.timezone) AS day,
            service, provider, model, feature, cost_usd, tokens_used, corrects_id
        FROM mark JOIN cost_events AS event ON event.xid < mark.folded_to
    ) AS event
    GROUP BY GROUPING SETS ((hour, service, provider, model, feature), (day, service, provider, model, feature))
)
SELECT
    period, period_start, service, provider, model, feature,
    summary.total_cost_usd, expected.total_cost_usd, summary.event_count, expected.event_count
FROM expected
FULL JOIN (SELECT * FROM cost_summaries WHERE period IN ('hour', 'day')) AS summary
    USING (period, period_start, service, provider, model, feature)
WHERE (summary.total_cost_usd, summary.total_tokens, summary.event_count, summary.unpriced_count)
    IS DISTINCT FROM (expected.total_cost_usd, expected.total_tokens, expected.event_count, expected.unpriced_count)
ORDER BY period_start, period
