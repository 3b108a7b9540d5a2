-- Delete some of the events that may go. A correction goes before what it corrects: a later turn finds that one free.
DELETE FROM cost_events WHERE id IN (
    SELECT e.id
    FROM cost_events e
    WHERE e.timestamp < %(before)s AND e.xid < %(folded_to)s::xid8 AND e.session_id IS NULL
      AND NOT EXISTS (SELECT FROM cost_events c WHERE c.tenant_id = e.tenant_id AND c.corrects_id = e.id)
    LIMIT %(limit)s
)
