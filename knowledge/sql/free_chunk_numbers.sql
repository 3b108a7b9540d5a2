-- The lowest numbers that no chunk of the tenant has. Reusing them keeps the blocks of the keyword index full.
-- Among 0 to (chunks + wanted - 1) at least `wanted` are free. The caller holds the tenant's totals row.
WITH taken AS MATERIALIZED (SELECT number FROM knowledge_chunks)
SELECT free.number
FROM generate_series(0, (SELECT count(*) FROM taken)::int + %(wanted)s - 1) AS free (number)
WHERE NOT EXISTS (SELECT FROM taken WHERE taken.number = free.number)
ORDER BY free.number
LIMIT %(wanted)s
