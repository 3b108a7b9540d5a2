-- Which tenants have rows here, in the order of their ids, `lim` at a time: closed ones too, as long as they can be
-- reopened.
CREATE FUNCTION public.every_tenant_id(after uuid, lim integer, OUT tenant_id uuid, OUT schema_name text)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.schema_name
    FROM public.tenants t
    WHERE $1 IS NULL OR t.id > $1
    ORDER BY t.id
    LIMIT $2
$$
