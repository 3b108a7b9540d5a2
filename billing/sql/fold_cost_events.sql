-- Add the events of every transaction from the watermark up to the horizon to their hours, days, weeks and months, and
-- move the watermark there. The horizon is the oldest transaction still running in this statement's own snapshot: all
-- before it are over, so none of their events can appear later, and none at or after it is read now.
WITH {cost_buckets},
added AS (
    INSERT INTO cost_summaries AS summary (
        tenant_id, period, period_start, period_end, is_final, service, provider, model, feature, total_cost_usd,
        total_tokens, event_count, unpriced_count, cache_hits, latency_sum_ms, latency_count, latency_digest
    )
    SELECT
        %(tenant)s, period, period_start, period_end, is_final, service, provider, model, feature, total_cost_usd,
        total_tokens, event_count, unpriced_count, cache_hits, latency_sum_ms, latency_count, latency_digest
    FROM bucket
    WHERE period_start >= %(since)s
    ON CONFLICT (tenant_id, period, period_start, service, provider, model, feature, is_final) DO UPDATE SET
        total_cost_usd = summary.total_cost_usd + excluded.total_cost_usd,
        total_tokens = summary.total_tokens + excluded.total_tokens,
        event_count = summary.event_count + excluded.event_count,
        unpriced_count = summary.unpriced_count + excluded.unpriced_count,
        cache_hits = summary.cache_hits + excluded.cache_hits,
        latency_sum_ms = summary.latency_sum_ms + excluded.latency_sum_ms,
        latency_count = summary.latency_count + excluded.latency_count,
        latency_digest = CASE
            WHEN excluded.latency_count = 0 THEN summary.latency_digest
            ELSE (
                SELECT jsonb_object_agg(step, sum)
                FROM (
                    SELECT step, sum(number::bigint)
                    FROM (
                        SELECT * FROM jsonb_each_text(summary.latency_digest)
                        UNION ALL SELECT * FROM jsonb_each_text(excluded.latency_digest)
                    ) AS counted (step, number)
                    GROUP BY step
                ) AS merged
            )
        END,
        updated_at = now()
)
UPDATE rollup_watermarks SET
    folded_to = greatest(folded_to, least(%(to_xid)s::xid8, pg_snapshot_xmin(pg_current_snapshot()))),
    folded_at = now(), timezone = %(zone)s, layout = %(layout)s, updated_at = now()
RETURNING
    EXISTS (SELECT FROM cost_events WHERE xid >= pg_snapshot_xmin(pg_current_snapshot())),
    (SELECT coalesce(sum(unpriced_count), 0)::bigint FROM bucket WHERE period = 'hour')
