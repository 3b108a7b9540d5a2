-- How many calls took how long, in steps, in some pieces of time; first a row that tells the zone of the summaries.
WITH {cost_parts}
SELECT
    (SELECT timezone FROM rollup_watermarks), period_start, service, provider, model, feature, step::int,
    sum(number::bigint)::bigint
FROM labelled CROSS JOIN LATERAL jsonb_each_text(latency_digest) AS digest (step, number)
GROUP BY GROUPING SETS ((), (period_start, service, provider, model, feature, step))
ORDER BY grouping(period_start) DESC, period_start, service, provider, model, feature, step::int
