-- The first statement of a tenant's transaction: whom it acts for, where its rows are and who acts; all of it ends with
-- the transaction. Gives the schema that holds the tenant's rows. Where that is another than the caller believed
-- (`schema`), the tenant has moved: nothing is set, and the caller asks again with the right one. NULL: it is being
-- moved at this moment, and nobody may begin.
--
-- `fence` is the tenant's advisory lock, shared by every transaction of its own and taken alone by whoever moves it
-- (tenants.moving). Who is let in by the lock sees what the mover has committed, because each statement of a volatile
-- function has a snapshot of its own: a row cannot be written to the place that the tenant has left.
-- Before the tenant's own row is there, while it is being made, its creator is believed.
CREATE FUNCTION public.enter_tenant(schema text, path text, tenant text, fence bigint, actor text)
RETURNS text
LANGUAGE plpgsql VOLATILE
AS $$
DECLARE
    home text;
BEGIN
    IF NOT pg_try_advisory_xact_lock_shared(fence) THEN
        RETURN NULL;
    END IF;
    PERFORM set_config('app.current_tenant_id', tenant, true);
    SELECT t.schema_name INTO home FROM public.tenants t WHERE t.id = tenant::uuid;
    IF home <> schema THEN
        PERFORM set_config('app.current_tenant_id', '', true);
        RETURN home;
    END IF;
    IF actor IS NOT NULL THEN
        PERFORM set_config('app.actor', actor, true);
    END IF;
    PERFORM set_config('search_path', path, true);
    RETURN schema;
END
$$
