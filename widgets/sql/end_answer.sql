-- Commit an answer: its message, the end of its run and of the promise to look after it. Whoever locks the session first
-- ends the run; where somebody else has ended it, nothing is written and the result is NULL.
CREATE FUNCTION public.end_answer(
    for_tenant uuid, of_run uuid, in_session uuid, as_id uuid, said text, with_citations jsonb, in_state text,
    with_metadata jsonb, as_status text, of_kind text, OUT given_seq integer, OUT said_at timestamptz
)
LANGUAGE plpgsql
AS $$
BEGIN
    PERFORM FROM sessions WHERE id = in_session FOR UPDATE;
    UPDATE answer_runs SET status = as_status, updated_at = now() WHERE id = of_run AND status = 'running';
    IF NOT FOUND THEN
        RETURN;
    END IF;
    DELETE FROM public.due_work WHERE kind = of_kind AND key = of_run;
    SELECT appended.given_seq, appended.said_at INTO given_seq, said_at
    FROM public.append_message(
        for_tenant, in_session, as_id, 'assistant', NULL, said, '[]', with_citations, in_state, NULL, with_metadata
    ) AS appended;
END
$$
