-- The next vectors of the tenant that its own partition has not, or has from another model, by chunk: how many were
-- copied and the last chunk. Runs as the owner, for the acting tenant, with its ingest lock held.
WITH missing AS MATERIALIZED (
    SELECT e.chunk_id
    FROM chunk_embeddings e
    WHERE e.tenant_id = %(tenant)s AND e.chunk_id > %(after)s
      AND NOT EXISTS (SELECT FROM {partition} c
                      WHERE c.tenant_id = %(tenant)s AND c.chunk_id = e.chunk_id AND c.embedding_model = e.embedding_model)
    ORDER BY e.chunk_id
    LIMIT %(limit)s
), copied AS (
    INSERT INTO {partition} (tenant_id, chunk_id, embedding, embedding_model)
    SELECT e.tenant_id, e.chunk_id, e.embedding, e.embedding_model
    FROM missing JOIN chunk_embeddings e ON e.tenant_id = %(tenant)s AND e.chunk_id = missing.chunk_id
    ON CONFLICT (tenant_id, chunk_id)
    DO UPDATE SET embedding = excluded.embedding, embedding_model = excluded.embedding_model
)
SELECT count(*), (SELECT chunk_id FROM missing ORDER BY chunk_id DESC LIMIT 1) FROM missing
