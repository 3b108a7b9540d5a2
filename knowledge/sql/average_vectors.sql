-- The direction of a document as a whole, once all its chunks have vectors of one model.
UPDATE knowledge_documents d
SET embedding = l2_normalize(found.mean)::halfvec(1024)
FROM (SELECT avg(e.embedding) AS mean, bool_and(e.embedding_model = %(model)s) AS complete
      FROM knowledge_chunks c
      JOIN chunk_embeddings e ON e.tenant_id = %(tenant)s AND e.chunk_id = c.id
      WHERE c.document_id = %(document)s) AS found
WHERE d.id = %(document)s AND found.complete
