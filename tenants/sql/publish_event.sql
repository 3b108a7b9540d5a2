-- Write an event and a delivery for each endpoint that is to be told of it, in the transaction of what it tells of.
-- `told_only` names the one endpoint that is meant, whatever it asked for. Returns the endpoints.
--
-- Each delivery is promised by a row of its own: a row of the endpoint's would be waited for by every other transaction of
-- the tenant that publishes, up to its commit.
CREATE FUNCTION public.publish_event(
    for_tenant uuid, as_id uuid, of_type text, said text, told_only uuid, happened_at timestamptz, as_kind text,
    seen_by timestamptz
)
RETURNS SETOF uuid
LANGUAGE plpgsql
AS $$
BEGIN
    INSERT INTO outbox (id, tenant_id, type, body, created_at)
    SELECT as_id, for_tenant, of_type, said, happened_at
    WHERE EXISTS (
        SELECT FROM webhook_endpoints
        WHERE is_active AND CASE WHEN told_only IS NULL THEN events = '{}' OR of_type = ANY (events) ELSE id = told_only END
    );
    IF NOT FOUND THEN
        RETURN;
    END IF;
    RETURN QUERY
    WITH made AS (
        INSERT INTO webhook_deliveries (
            id, tenant_id, event_id, endpoint_id, created_at, updated_at, due_from, next_attempt_at
        )
        SELECT uuidv7(), for_tenant, as_id, id, happened_at, happened_at, happened_at, happened_at
        FROM webhook_endpoints
        WHERE is_active AND CASE WHEN told_only IS NULL THEN events = '{}' OR of_type = ANY (events) ELSE id = told_only END
        ORDER BY id
        RETURNING id, endpoint_id
    ),
    promised AS (
        INSERT INTO public.due_work (kind, key, tenant_id, due_at) SELECT as_kind, id, for_tenant, seen_by FROM made
    )
    SELECT endpoint_id FROM made;
END
$$
