event AS (
    -- Events of transactions that are over: those not folded yet, and of the folded ones those asked for again, except
    -- where they are final: their sums stand, for the events may be gone by now.
    SELECT
        date_bin('1 hour', timestamp, 'epoch') AS hour,
        (timestamp AT TIME ZONE %(zone)s)::date AS day,
        timestamp < %(final_before)s AS is_final,
        service, provider, model, feature, cost_usd, tokens_used, is_cache_hit, latency_ms,
        corrects_id IS NULL AS is_first,
        {unpriced_by_event} AS unpriced,
        {latency_step} AS step
    FROM cost_events AS written
    WHERE xid >= %(from_xid)s::xid8 AND xid < least(%(to_xid)s::xid8, pg_snapshot_xmin(pg_current_snapshot()))
        AND (xid >= %(folded_to)s::xid8 OR timestamp >= %(again_from)s)
),
slot AS (
    -- One pass over the events; hours, days, weeks and months are made of its few rows.
    SELECT
        hour, day, date_trunc('week', day::timestamp)::date AS week, date_trunc('month', day::timestamp)::date AS month,
        is_final, service, provider, model, feature, step,
        coalesce(sum(cost_usd), 0) AS total_cost_usd,
        sum(tokens_used) AS total_tokens,
        count(*) FILTER (WHERE is_first) AS event_count,
        sum(unpriced) AS unpriced_count,
        count(*) FILTER (WHERE is_cache_hit) AS cache_hits,
        coalesce(sum(latency_ms), 0) AS latency_sum_ms,
        count(latency_ms) AS latency_count
    FROM event
    GROUP BY step, hour, day, is_final, model, feature, provider, service
),
stepped AS (
    SELECT
        CASE 0
            WHEN grouping(hour) THEN 'hour' WHEN grouping(day) THEN 'day' WHEN grouping(week) THEN 'week' ELSE 'month'
        END AS period,
        hour, coalesce(day, week, month) AS day, is_final, service, provider, model, feature, step,
        sum(total_cost_usd) AS total_cost_usd, sum(total_tokens) AS total_tokens, sum(event_count) AS event_count,
        sum(unpriced_count) AS unpriced_count, sum(cache_hits) AS cache_hits, sum(latency_sum_ms) AS latency_sum_ms,
        sum(latency_count) AS latency_count
    FROM slot
    GROUP BY is_final, service, provider, model, feature, step, GROUPING SETS ((hour), (day), (week), (month))
),
summed AS (
    SELECT
        period, hour, day, is_final, service, provider, model, feature,
        sum(total_cost_usd) AS total_cost_usd, sum(total_tokens) AS total_tokens, sum(event_count) AS event_count,
        sum(unpriced_count) AS unpriced_count, sum(cache_hits) AS cache_hits, sum(latency_sum_ms) AS latency_sum_ms,
        sum(latency_count) AS latency_count,
        coalesce(jsonb_object_agg(step, latency_count) FILTER (WHERE step IS NOT NULL), '{}') AS latency_digest
    FROM stepped
    GROUP BY day, hour, is_final, model, feature, provider, service, period
),
bucket AS (
    SELECT
        period, coalesce(hour, public.first_moment(day, %(zone)s)) AS period_start,
        CASE period
            WHEN 'hour' THEN hour + interval '1 hour'
            ELSE public.first_moment((day + ('1 ' || period)::interval)::date, %(zone)s)
        END AS period_end,
        is_final, service, provider, model, feature, total_cost_usd, total_tokens, event_count, unpriced_count,
        cache_hits, latency_sum_ms, latency_count, latency_digest
    FROM summed
)
