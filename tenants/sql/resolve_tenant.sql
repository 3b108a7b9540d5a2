-- Whose name this is. A suspended or closed tenant's names lead nowhere.
CREATE FUNCTION public.resolve_tenant(kind text, key text, OUT tenant_id uuid, OUT schema_name text)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.schema_name
    FROM public.directory_keys k
    JOIN public.tenants t ON t.id = k.tenant_id
    WHERE k.kind = $1 AND k.key = $2 AND t.status IN ('trialing', 'active', 'past_due')
$$
