piece AS (
    SELECT * FROM unnest(%(sources)s::text[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
        AS piece (source, starts, ends)
),
part AS (
    SELECT
        source, period_start AS moment, service, provider, model, feature, total_cost_usd, total_tokens, event_count,
        unpriced_count, latency_digest
    FROM piece
    JOIN cost_summaries AS summary
        ON summary.period = source AND summary.period_start >= starts AND summary.period_start < ends
    UNION ALL
    -- What is less than an hour is read from the events themselves, as far as they are folded.
    SELECT
        source, timestamp, service, provider, model, feature, coalesce(cost_usd, 0), tokens_used,
        (corrects_id IS NULL)::int,
        {unpriced_by_event},
        CASE WHEN latency_ms IS NULL THEN '{}' ELSE jsonb_build_object({latency_step}, 1) END
    FROM piece
    JOIN cost_events AS written ON source = 'event' AND timestamp >= starts AND timestamp < ends
    WHERE xid < (SELECT folded_to FROM rollup_watermarks)
),
labelled AS (
    SELECT
        CASE
            WHEN source = %(group_by)s THEN moment
            WHEN %(group_by)s = 'hour' THEN date_bin('1 hour', moment, 'epoch')
            ELSE public.first_moment(date_trunc(%(group_by)s, moment AT TIME ZONE %(zone)s)::date, %(zone)s)
        END AS period_start,
        CASE WHEN 'service' = ANY(%(by)s) THEN service END AS service,
        CASE WHEN 'provider' = ANY(%(by)s) THEN provider END AS provider,
        CASE WHEN 'model' = ANY(%(by)s) THEN model END AS model,
        CASE WHEN 'feature' = ANY(%(by)s) THEN feature END AS feature,
        total_cost_usd, total_tokens, event_count, unpriced_count, latency_digest
    FROM part
)
