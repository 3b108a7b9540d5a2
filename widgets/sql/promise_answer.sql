-- Promise an answer to message `to_seq`, unless one is being made: the run, and by when somebody must look after it.
-- The caller has locked the session's row, so nobody else promises at the same time. Returns the turns before that
-- message as [[role, content], …], oldest first, without state changes and what broke off unsaid; NULL: no promise.
CREATE FUNCTION public.promise_answer(
    for_tenant uuid, in_session uuid, to_seq integer, as_run uuid, as_message uuid, by_process text,
    held_until timestamptz, as_kind text, remembered integer
)
RETURNS json
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM answer_runs WHERE session_id = in_session AND status = 'running';
    IF FOUND THEN
        RETURN NULL;
    END IF;
    INSERT INTO answer_runs (
        id, tenant_id, session_id, message_id, question_seq, status, process, lease_until, metadata, created_at, updated_at
    )
    VALUES (as_run, for_tenant, in_session, as_message, to_seq, 'running', by_process, held_until, '{}', now(), now());
    INSERT INTO public.due_work (kind, key, tenant_id, due_at) VALUES (as_kind, as_run, for_tenant, held_until);
    RETURN (
        SELECT coalesce(json_agg(json_build_array(role, content) ORDER BY seq), '[]')
        FROM (
            SELECT role, content, seq FROM messages
            WHERE session_id = in_session AND seq < to_seq AND role IN ('user', 'assistant') AND status <> 'failed'
            ORDER BY seq DESC LIMIT remembered
        ) AS earlier
    );
END
$$
