-- Write cost events; one whose idempotency key is known already is left out. Returns those written, and whether the
-- tenant has budgets that must be told.
INSERT INTO cost_events (
    id, tenant_id, session_id, message_id, trace_id, span_id, parent_span_id, service, provider, model, feature,
    user_ref, input_tokens, output_tokens, cached_tokens, cache_write_tokens, tokens_used, units, latency_ms, cost_usd,
    price_id, cost_given, estimated, is_cache_hit, corrects_id, idempotency_key, metadata, timestamp
)
SELECT
    id, %(tenant)s, session_id, message_id, trace_id, span_id, parent_span_id, service, provider, model, feature,
    user_ref, input_tokens, output_tokens, cached_tokens, cache_write_tokens, tokens_used, units, latency_ms, cost_usd,
    price_id, cost_given, estimated, is_cache_hit, corrects_id, idempotency_key, metadata, coalesce(timestamp, now())
FROM json_to_recordset(%(events)s::json) AS event (
    id uuid, session_id uuid, message_id uuid, trace_id text, span_id text, parent_span_id text, service text,
    provider text, model text, feature text, user_ref text, input_tokens bigint, output_tokens bigint,
    cached_tokens bigint, cache_write_tokens bigint, tokens_used bigint, units numeric, latency_ms integer,
    cost_usd numeric, price_id uuid, cost_given boolean, estimated boolean, is_cache_hit boolean, corrects_id uuid,
    idempotency_key text, metadata jsonb, timestamp timestamptz
)
ON CONFLICT (tenant_id, idempotency_key) DO NOTHING
RETURNING id, (SELECT public.has_budgets(%(tenant)s))
