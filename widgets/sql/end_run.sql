-- The promise is kept, or broken off: nobody need look after the run any more.
WITH kept AS (
    DELETE FROM public.due_work WHERE kind = %(kind)s AND key = %(id)s
)
UPDATE answer_runs SET status = %(status)s, updated_at = now() WHERE id = %(id)s
