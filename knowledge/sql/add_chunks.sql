-- The chunks of one version with their vectors, in one statement.
WITH chunk AS (
    INSERT INTO knowledge_chunks
        (id, tenant_id, document_id, version, position, number, content, heading_path, token_count, metadata)
    SELECT id, %(tenant)s, %(document)s, %(version)s, position - 1, number, content, heading, tokens,
           jsonb_build_object('chunkSize', length(content), 'overlapSize', 0)
    FROM unnest(%(ids)s::uuid[], %(numbers)s::int[], %(contents)s::text[], %(headings)s::text[], %(tokens)s::int[])
         WITH ORDINALITY AS new (id, number, content, heading, tokens, position)
)
INSERT INTO chunk_embeddings (tenant_id, chunk_id, embedding, embedding_model)
SELECT %(tenant)s, new.id, new.embedding::halfvec(1024), %(model)s
FROM unnest(%(ids)s::uuid[], %(embeddings)s::text[]) AS new (id, embedding)
