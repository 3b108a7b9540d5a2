-- Number a message and append it: the session's row is locked by the update, so seq has no gap and no double.
-- A function, as are the others that each answer passes through: half of such a statement's time is planning, and a
-- function's plans are made once per connection.
CREATE FUNCTION public.append_message(
    for_tenant uuid, to_session uuid, as_id uuid, by_role text, by_author uuid, said text, with_attachments jsonb,
    with_citations jsonb, in_state text, by_client uuid, with_metadata jsonb, OUT given_seq integer, OUT said_at timestamptz
)
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE sessions SET last_seq = last_seq + 1, last_message_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = to_session
    RETURNING last_seq, last_message_at INTO STRICT given_seq, said_at;
    INSERT INTO messages (
        id, tenant_id, session_id, seq, role, author_id, content, attachments, citations, status, client_id, metadata,
        timestamp, created_at
    )
    VALUES (
        as_id, for_tenant, to_session, given_seq, by_role, by_author, said, with_attachments, with_citations, in_state,
        by_client, with_metadata, said_at, said_at
    );
END
$$
