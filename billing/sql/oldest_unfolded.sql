-- How old the oldest event is that no summary has yet. Its id says when it was written (UUIDv7): its own time may lie
-- long before that, where it was reported late. Events of transactions that still run are not seen, as by the fold.
SELECT extract(epoch FROM clock_timestamp() - uuid_extract_timestamp(id))
FROM cost_events
WHERE xid >= %(folded_to)s::xid8
ORDER BY id
LIMIT 1
