-- One entry of the acting tenant's record. Who acts stands in app.actor as JSON, set by the statement that opened the
-- transaction (tenants.db.base); nobody: the system. A person and a key are named as they are called at this moment.
-- The caller's rights and search path apply: the entry lands in the acting tenant's own schema, under its policy.
CREATE FUNCTION public.audit_write(
    action text, target_kind text, target_id text, target_text text, before jsonb, after jsonb
)
RETURNS void
LANGUAGE plpgsql
AS $$
DECLARE
    actor jsonb := NULLIF(current_setting('app.actor', true), '')::jsonb;
    called text := actor->>'text';
BEGIN
    IF called IS NULL AND actor->>'kind' = 'user' THEN
        SELECT CASE WHEN u.name = '' THEN u.email ELSE u.name || ' (' || u.email || ')' END INTO called
        FROM public.users u WHERE u.id = (actor->>'id')::uuid;
    ELSIF called IS NULL AND actor->>'kind' = 'key' THEN
        SELECT k.name || ' (' || k.prefix || '…)' INTO called
        FROM public.api_keys k WHERE k.id = (actor->>'id')::uuid;
    END IF;
    INSERT INTO audit_entries (
        tenant_id, actor_kind, actor_id, actor_text, action, target_kind, target_id, target_text, before, after, ip
    )
    VALUES (
        NULLIF(current_setting('app.current_tenant_id', true), '')::uuid,
        coalesce(actor->>'kind', 'system'), coalesce(actor->>'id', ''), left(coalesce(called, ''), 400),
        action, target_kind, target_id, left(coalesce(target_text, ''), 400), before, after,
        (actor->>'ip')::inet
    );
END
$$
