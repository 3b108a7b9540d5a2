-- What was spent in some pieces of time, by period and the dimensions asked for; first the totals, with the zone that the
-- summaries are cut in at this moment.
WITH {cost_parts}
SELECT
    (SELECT timezone FROM rollup_watermarks), period_start, service, provider, model, feature,
    coalesce(sum(total_cost_usd), 0), coalesce(sum(total_tokens), 0)::bigint, coalesce(sum(event_count), 0)::bigint,
    coalesce(sum(unpriced_count), 0)::bigint
FROM labelled
GROUP BY GROUPING SETS ((), (period_start, service, provider, model, feature))
ORDER BY grouping(period_start) DESC, period_start, service, provider, model, feature
LIMIT %(limit)s
