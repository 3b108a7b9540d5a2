-- The platform's staff look for the company to act for: who holds `wanted` in the name or slug, by name, at most 20.
-- Nobody who acts for a tenant learns anything here, and nothing leads to a suspended or closed one.
CREATE FUNCTION public.tenants_called(wanted text, lim integer, OUT tenant_id uuid, OUT name text, OUT slug text)
RETURNS SETOF record
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
AS $$
    SELECT t.id, t.name::text, t.slug::text
    FROM public.tenants t
    WHERE NULLIF(current_setting('app.current_tenant_id', true), '') IS NULL
      AND length($1) >= 2
      AND (strpos(lower(t.name), lower($1)) > 0 OR strpos(t.slug, lower($1)) > 0)
      AND t.status IN ('trialing', 'active', 'past_due')
    ORDER BY t.name, t.id
    LIMIT least($2, 20)
$$
