-- Number a message and append it: the session's row is locked by the update, so seq has no gap and no double.
WITH numbered AS (
    UPDATE sessions SET last_seq = last_seq + 1, last_message_at = clock_timestamp(), updated_at = clock_timestamp()
    WHERE id = %(session)s
    RETURNING last_seq, last_message_at
)
INSERT INTO messages (
    id, tenant_id, session_id, seq, role, author_id, content, attachments, citations, status, client_id, metadata,
    timestamp, created_at
)
SELECT %(id)s, %(tenant)s, %(session)s, last_seq, %(role)s, %(author)s, %(content)s, %(attachments)s, %(citations)s,
       %(status)s, %(client_id)s, %(metadata)s, last_message_at, last_message_at
FROM numbered
RETURNING seq, timestamp
