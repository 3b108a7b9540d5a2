-- A visitor's message, said in their open session, and the promise of its answer: one round trip.
--
-- The session's row is locked first, so a resend waits for the first sending and then finds it: `is_new` is false, and
-- nothing is written. `is_new` NULL: there is no open session that was spoken in since `continues_from`; the caller
-- begins one and asks again. `earlier` is NULL where nobody has to answer now: a person does, or an answer is being
-- made.
CREATE FUNCTION public.ask(
    for_tenant uuid, by_visitor uuid, at_widget uuid, continues_from timestamptz, by_client uuid, as_id uuid, said text,
    with_attachments jsonb, as_run uuid, as_answer uuid, by_process text, held_until timestamptz, as_kind text,
    remembered integer,
    OUT is_new boolean, OUT said_id uuid, OUT given_seq integer, OUT in_session uuid, OUT in_status text,
    OUT said_at timestamptz, OUT earlier json
)
LANGUAGE plpgsql
AS $$
DECLARE
    latest record;
BEGIN
    SELECT id, status, last_message_at INTO latest FROM sessions
    WHERE widget_id = at_widget AND visitor_id = by_visitor AND status <> 'ended'
    FOR UPDATE;
    -- In any session of the visitor's: the one it was said in may have ended since. Looked up in each, or a plan that was
    -- made while the table was small would read every message of the tenant.
    SELECT false, message.id, message.seq, session.id, session.status
    INTO is_new, said_id, given_seq, in_session, in_status
    FROM sessions AS session,
         LATERAL (
             SELECT id, seq FROM messages WHERE session_id = session.id AND client_id = by_client OFFSET 0
         ) AS message
    WHERE session.visitor_id = by_visitor
    LIMIT 1;
    IF NOT FOUND AND latest.last_message_at >= continues_from THEN
        is_new := true;
        said_id := as_id;
        in_session := latest.id;
        in_status := latest.status;
        SELECT appended.given_seq, appended.said_at INTO given_seq, said_at
        FROM public.append_message(
            for_tenant, in_session, as_id, 'user', NULL, said, with_attachments, '[]', 'complete', by_client, '{}'
        ) AS appended;
        IF in_status = 'ai' THEN
            earlier := public.promise_answer(
                for_tenant, in_session, given_seq, as_run, as_answer, by_process, held_until, as_kind, remembered
            );
        END IF;
    END IF;
END
$$
