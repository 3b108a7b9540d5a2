-- New vectors for some chunks. One that is gone meanwhile is passed over.
UPDATE chunk_embeddings e
SET embedding = new.embedding::halfvec(1024), embedding_model = %(model)s
FROM unnest(%(ids)s::uuid[], %(embeddings)s::text[]) AS new (id, embedding)
WHERE e.tenant_id = %(tenant)s AND e.chunk_id = new.id
