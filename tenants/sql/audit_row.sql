-- Records a change of one row of a watched table. Its arguments are the kind of thing, the column with its name (or
-- none), the columns that are shown, those of which only a change is shown, and those that are ignored, by commas
-- (tenants.auditing.watching writes them). Only the columns listed are ever read: what a later migration adds stays out
-- until somebody has decided about it, and a text of megabytes is not turned into JSON to be thrown away.
-- Without a tenant (the platform's own rows) there is no record to write to.
CREATE FUNCTION public.audit_row()
RETURNS trigger
LANGUAGE plpgsql
AS $$
DECLARE
    hidden text[] := string_to_array(TG_ARGV[3], ',');
    columns text[] := array_cat(string_to_array(TG_ARGV[2], ','), hidden);
    pick text := (SELECT 'SELECT jsonb_build_object(' || string_agg(format('%L, ($1).%I', c, c), ', ') || ')'
                  FROM unnest(columns) c);
    was jsonb;
    becomes jsonb;
    before jsonb;
    after jsonb;
    mask constant jsonb := to_jsonb('•••'::text);
BEGIN
    IF NULLIF(current_setting('app.current_tenant_id', true), '') IS NULL THEN
        RETURN NULL;
    END IF;
    IF TG_OP <> 'INSERT' THEN
        EXECUTE pick INTO was USING OLD;
    END IF;
    IF TG_OP <> 'DELETE' THEN
        EXECUTE pick INTO becomes USING NEW;
    END IF;
    SELECT jsonb_object_agg(c, CASE WHEN c = ANY (hidden) AND was->c <> 'null' THEN mask ELSE was->c END),
           jsonb_object_agg(c, CASE WHEN c = ANY (hidden) AND becomes->c <> 'null' THEN mask ELSE becomes->c END)
    INTO before, after
    FROM unnest(columns) c
    WHERE TG_OP <> 'UPDATE' OR was->c IS DISTINCT FROM becomes->c;
    IF TG_OP = 'UPDATE' AND before IS NULL THEN
        RETURN NULL;
    END IF;
    PERFORM public.audit_write(
        CASE TG_OP WHEN 'INSERT' THEN 'created' WHEN 'UPDATE' THEN 'changed' ELSE 'deleted' END,
        TG_ARGV[0],
        CASE TG_OP WHEN 'DELETE' THEN OLD.id ELSE NEW.id END::text,
        CASE WHEN TG_ARGV[1] = '' THEN '' ELSE coalesce(becomes, was)->>TG_ARGV[1] END,
        CASE TG_OP WHEN 'INSERT' THEN NULL ELSE before END,
        CASE TG_OP WHEN 'DELETE' THEN NULL ELSE after END
    );
    RETURN NULL;
END
$$
