-- Promise an answer to a message, unless one is being made: the run, and by when somebody must look after it.
-- The session's row is locked, so nobody else promises at the same time.
WITH run AS (
    INSERT INTO answer_runs (
        id, tenant_id, session_id, message_id, question_seq, status, process, lease_until, metadata, created_at, updated_at
    )
    SELECT %(id)s, %(tenant)s, %(session)s, %(message)s, %(seq)s, 'running', %(process)s, %(lease_until)s, '{}', now(), now()
    WHERE NOT EXISTS (SELECT FROM answer_runs WHERE session_id = %(session)s AND status = 'running')
    RETURNING id, lease_until
)
INSERT INTO public.due_work (kind, key, tenant_id, due_at)
SELECT %(kind)s, id, %(tenant)s, lease_until FROM run
RETURNING key
