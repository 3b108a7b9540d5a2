-- What is overdue, longest overdue first.
CREATE FUNCTION public.due_work_before(
    kind text, before timestamptz, lim integer, OUT tenant_id uuid, OUT schema_name text, OUT key uuid
)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT d.tenant_id, t.schema_name, d.key
    FROM public.due_work d
    JOIN public.tenants t ON t.id = d.tenant_id
    WHERE d.kind = $1 AND d.due_at < $2
    ORDER BY d.due_at
    LIMIT $3
$$
