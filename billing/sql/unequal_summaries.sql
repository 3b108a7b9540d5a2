-- Buckets whose summary is not the sum over the events that are folded; those whose events may be gone are left out. One
-- statement, so one snapshot: a fold at the same moment is seen whole or not at all.
WITH {cost_buckets}
SELECT
    period, period_start, service, provider, model, feature,
    summary.total_cost_usd, bucket.total_cost_usd, summary.event_count, bucket.event_count
FROM bucket
FULL JOIN (SELECT * FROM cost_summaries WHERE NOT is_final) AS summary
    USING (period, period_start, period_end, service, provider, model, feature)
WHERE (
    summary.total_cost_usd, summary.total_tokens, summary.event_count, summary.unpriced_count, summary.cache_hits,
    summary.latency_sum_ms, summary.latency_count, summary.latency_digest
) IS DISTINCT FROM (
    bucket.total_cost_usd, bucket.total_tokens, bucket.event_count, bucket.unpriced_count, bucket.cache_hits,
    bucket.latency_sum_ms, bucket.latency_count, bucket.latency_digest
)
ORDER BY period_start, period
