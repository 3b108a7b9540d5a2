-- How many events may go: their sums are, or can be made, final, no conversation needs them, and nothing that stays
-- corrects them.
SELECT count(*)
FROM cost_events e
WHERE e.timestamp < %(before)s AND e.xid < %(folded_to)s::xid8 AND e.session_id IS NULL
  AND NOT EXISTS (
      SELECT FROM cost_events c
      WHERE c.tenant_id = e.tenant_id AND c.corrects_id = e.id
        AND NOT (c.timestamp < %(before)s AND c.xid < %(folded_to)s::xid8 AND c.session_id IS NULL)
  )
