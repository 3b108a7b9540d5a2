-- Hold on to running answers for another lease, and move the promise to look after each. Returns those still running;
-- the others are somebody else's now.
WITH held AS (
    UPDATE answer_runs SET lease_until = %(until)s, updated_at = now()
    WHERE id = ANY (%(runs)s) AND status = 'running'
    RETURNING id
), promised AS (
    INSERT INTO public.due_work (kind, key, tenant_id, due_at)
    SELECT %(kind)s, id, %(tenant)s, %(until)s FROM held
    ON CONFLICT (kind, key) DO UPDATE SET due_at = excluded.due_at
)
SELECT id FROM held
