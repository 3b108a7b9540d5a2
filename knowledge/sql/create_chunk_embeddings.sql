CREATE TABLE chunk_embeddings (
    tenant_id uuid NOT NULL REFERENCES public.tenants (id) DEFERRABLE INITIALLY DEFERRED,
    chunk_id uuid NOT NULL,
    embedding halfvec(1024) NOT NULL,
    bits bit(1024) GENERATED ALWAYS AS (binary_quantize(embedding)::bit(1024)) STORED,
    embedding_model varchar(100) COLLATE "C" NOT NULL,
    PRIMARY KEY (tenant_id, chunk_id)
) PARTITION BY LIST (tenant_id);

-- Never compressed and never moved out of the row: reading a vector is one page.
ALTER TABLE chunk_embeddings ALTER COLUMN embedding SET STORAGE PLAIN;
ALTER TABLE chunk_embeddings ALTER COLUMN bits SET STORAGE PLAIN;

-- Vacuumed early: an index-only scan visits the table for every row that no vacuum has seen.
CREATE TABLE chunk_embeddings_default PARTITION OF chunk_embeddings DEFAULT
WITH (autovacuum_vacuum_insert_threshold = 500, autovacuum_vacuum_insert_scale_factor = 0.02,
      autovacuum_vacuum_scale_factor = 0.05);

-- An index-only scan of one tenant's codes, of the one model whose vectors can be compared with the question's.
CREATE INDEX chunk_embeddings_codes ON chunk_embeddings (tenant_id, embedding_model) INCLUDE (chunk_id, bits);
