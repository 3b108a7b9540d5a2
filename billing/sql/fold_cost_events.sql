-- Add the events of every transaction from the watermark up to the horizon to their hours and days, and move the
-- watermark there. The horizon is the oldest transaction still running in this statement's own snapshot: all before it
-- are over, so none of their events can appear later, and none at or after it is read now.
WITH folded AS (
    SELECT
        CASE WHEN grouping(hour) = 0 THEN 'hour' ELSE 'day' END AS period,
        coalesce(hour, day) AS period_start,
        service, provider, model, feature,
        coalesce(sum(cost_usd), 0) AS total_cost_usd,
        sum(tokens_used) AS total_tokens,
        count(*) FILTER (WHERE corrects_id IS NULL) AS event_count,
        count(*) FILTER (WHERE cost_usd IS NULL) AS unpriced_count,
        count(*) FILTER (WHERE is_cache_hit) AS cache_hits,
        coalesce(sum(latency_ms), 0) AS latency_sum_ms,
        count(latency_ms) AS latency_count
    FROM (
        SELECT
            date_trunc('hour', timestamp, 'UTC') AS hour, date_trunc('day', timestamp, %(zone)s) AS day,
            service, provider, model, feature, cost_usd, tokens_used, corrects_id, is_cache_hit, latency_ms
        FROM cost_events
        WHERE xid >= %(folded_to)s::xid8 AND xid < pg_snapshot_xmin(pg_current_snapshot())
    ) AS event
    GROUP BY GROUPING SETS ((hour, service, provider, model, feature), (day, service, provider, model, feature))
),
added AS (
    INSERT INTO cost_summaries AS summary (
        tenant_id, period, period_start, period_end, service, provider, model, feature, total_cost_usd, total_tokens,
        event_count, unpriced_count, cache_hits, latency_sum_ms, latency_count
    )
    SELECT
        %(tenant)s, period, period_start,
        CASE period
            WHEN 'hour' THEN period_start + interval '1 hour'
            ELSE (period_start AT TIME ZONE %(zone)s + interval '1 day') AT TIME ZONE %(zone)s
        END,
        service, provider, model, feature, total_cost_usd, total_tokens,
        event_count, unpriced_count, cache_hits, latency_sum_ms, latency_count
    FROM folded
    ON CONFLICT (tenant_id, period, period_start, service, provider, model, feature) DO UPDATE SET
        total_cost_usd = summary.total_cost_usd + excluded.total_cost_usd,
        total_tokens = summary.total_tokens + excluded.total_tokens,
        event_count = summary.event_count + excluded.event_count,
        unpriced_count = summary.unpriced_count + excluded.unpriced_count,
        cache_hits = summary.cache_hits + excluded.cache_hits,
        latency_sum_ms = summary.latency_sum_ms + excluded.latency_sum_ms,
        latency_count = summary.latency_count + excluded.latency_count,
        updated_at = now()
)
UPDATE rollup_watermarks SET
    folded_to = pg_snapshot_xmin(pg_current_snapshot()), folded_at = now(), timezone = %(zone)s, updated_at = now()
RETURNING EXISTS (SELECT FROM cost_events WHERE xid >= pg_snapshot_xmin(pg_current_snapshot()))
