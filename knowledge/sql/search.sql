-- Hybrid search over the acting tenant's chunks, in one statement: BM25 over the keyword index and cosine over the
-- vectors, the best of each scaled to 0..1 (min-max) and added with weights. Row-level security chooses the
-- tenant; every index used here starts with tenant_id and is entered by equality, which is leakproof, or belongs to a
-- table of that tenant alone. The tenant's id is also written out where chunk_embeddings is read: the planner then looks
-- at the tenant's own partition only, however many there are, and the policy becomes a check made once.
--
-- BM25 is Robertson's with k1 = 1.2 and b = 0.5 (chunks are of one size, so length says little) and Lucene's inverse
-- document frequency ln(1 + (N - n + 0.5) / (n + 0.5)), which is never negative. N, n and the mean length are the
-- tenant's own, or one tenant's documents would change another's ranking.
WITH meaning AS MATERIALIZED (
    SELECT %(vector)s::halfvec(1024) AS vector
), totals AS MATERIALIZED (
    -- The question's language counts only if the tenant has documents in it; else that of most of its documents.
    SELECT chunks, words::float8 / greatest(chunks, 1) AS mean_length, stemmers,
           coalesce((SELECT kind FROM knowledge_vector_indexes), 'codes') AS vector_index,
           CASE WHEN jsonb_exists(stemmers, %(stemmer)s) THEN %(stemmer)s
                ELSE (SELECT key FROM jsonb_each_text(stemmers) ORDER BY value::int DESC, key LIMIT 1) END AS stemmer
    FROM knowledge_totals
    WHERE chunks > 0
), weights AS MATERIALIZED (
    SELECT CASE WHEN %(languages)s::text[] IS NULL OR stemmer = ANY (%(languages)s::text[])
                THEN %(vector_weight)s ELSE 0 END::float8 AS vector
    FROM totals
), meant AS MATERIALIZED (
    -- The words that are none of the question's own language's stop words, by their place.
    SELECT place FROM totals, unnest(to_tsvector(totals.stemmer::regconfig, %(words)s)) AS word, unnest(word.positions) AS place
), question AS MATERIALIZED (
    -- The question's words come first; those after its last place are of the visitor's earlier turn and count for less.
    SELECT coalesce(max(place), 0) AS ends
    FROM unnest(to_tsvector('simple', %(question)s)) AS word, unnest(word.positions) AS place
), asked AS MATERIALIZED (
    -- Each word as every stemmer in use writes it: documents in another language have the same names and numbers.
    SELECT word.lexeme, min(place) AS place,
           CASE WHEN min(place) <= (SELECT ends FROM question) THEN 1 ELSE %(earlier_weight)s END::float8 AS weight
    FROM totals, jsonb_object_keys(totals.stemmers) AS other (stemmer),
         unnest(to_tsvector(other.stemmer::regconfig, %(words)s)) AS word, unnest(word.positions) AS place
    WHERE place IN (SELECT place FROM meant)
    GROUP BY word.lexeme
), posted AS MATERIALIZED (
    SELECT asked.lexeme, asked.place, posting.block, posting.entries
    FROM asked,
         LATERAL (SELECT p.block, p.entries FROM knowledge_postings p WHERE p.lexeme = asked.lexeme OFFSET 0) AS posting
), frequencies AS MATERIALIZED (
    SELECT asked.lexeme, asked.place, asked.weight * ln(1 + (totals.chunks - n + 0.5) / (n + 0.5)) AS idf
    FROM totals, asked,
         LATERAL (SELECT coalesce(sum(cardinality(entries)), 0)::float8 AS n FROM posted WHERE posted.lexeme = asked.lexeme) AS known
), matches AS MATERIALIZED (
    SELECT (posted.block << 10) | (entry & 1023) AS number,
           sum(idf * (entry >> 10 & 63) * 2.2
               / ((entry >> 10 & 63) + 1.2 * (0.5 + 0.5 * (entry >> 16) / totals.mean_length))) AS bm25,
           sum(idf) AS idf
    FROM totals, posted JOIN frequencies USING (lexeme), unnest(posted.entries) AS entry
    GROUP BY 1
), allowed AS MATERIALIZED (
    -- Only evaluated when the search is limited to some of the documents.
    SELECT c.id, c.number
    FROM knowledge_documents d JOIN knowledge_chunks c ON c.document_id = d.id
    WHERE (%(categories)s::text[] IS NULL OR d.category = ANY (%(categories)s::text[]))
      AND (%(collections)s::text[] IS NULL OR d.collection = ANY (%(collections)s::text[]))
), by_words AS (
    SELECT chunk.id, best.bm25
    FROM (SELECT number, bm25 FROM matches
          WHERE %(everything)s OR number IN (SELECT number FROM allowed)
          ORDER BY bm25 DESC, number LIMIT %(pool)s) AS best,
         LATERAL (SELECT c.id FROM knowledge_chunks c WHERE c.number = best.number OFFSET 0) AS chunk
), graph_asked AS MATERIALIZED (
    -- A large tenant has an HNSW graph. The more chunks, the more of it is walked (ef_search; measured: docs/knowledge.md).
    -- Not asked where the filter leaves less than a quarter: nearly all that the walk finds would be thrown away.
    SELECT set_config('hnsw.ef_search', least(greatest(chunks / 100, 200), 1000)::text, true) IS NOT NULL
           AND set_config('hnsw.iterative_scan', 'strict_order', true) IS NOT NULL AS yes
    FROM totals
    WHERE vector_index = 'hnsw' AND (%(everything)s OR (SELECT count(*) FROM allowed) >= chunks / 4)
), graph AS MATERIALIZED (
    SELECT node.chunk_id
    FROM chunk_embeddings node
    WHERE (SELECT yes FROM graph_asked) AND node.tenant_id = %(tenant)s AND node.embedding_model = %(model)s
      -- In a sub-SELECT, so that the filter stays a filter: as a join it would cost the walk its order.
      AND ((SELECT %(everything)s) OR node.chunk_id IN (SELECT id FROM allowed))
    ORDER BY node.embedding <=> (SELECT vector FROM meaning)
    LIMIT %(pool)s
), codes AS MATERIALIZED (
    -- Everybody else's one-bit codes are scanned; also a large tenant's where the graph did not fill the pool.
    SELECT code.chunk_id
    FROM chunk_embeddings code
    WHERE (SELECT count(*) FROM graph)
          < (SELECT least(%(pool)s, CASE WHEN %(everything)s THEN chunks ELSE (SELECT count(*) FROM allowed) END) FROM totals)
      AND code.tenant_id = %(tenant)s AND code.embedding_model = %(model)s
      AND (%(everything)s OR code.chunk_id IN (SELECT id FROM allowed))
    ORDER BY code.bits <~> (SELECT binary_quantize(vector)::bit(1024) FROM meaning)
    -- Enough that the ten nearest are among them for questions off the tenant's topics too (measured: recall .99).
    LIMIT (SELECT least(greatest(400, chunks / 5), 1600) FROM totals)
), near AS MATERIALIZED (
    SELECT chunk_id FROM graph UNION SELECT chunk_id FROM codes
), by_meaning AS (
    SELECT near.chunk_id AS id, 1 - exact.distance AS cosine
    FROM near,
         LATERAL (SELECT e.embedding <=> (SELECT vector FROM meaning) AS distance
                  FROM chunk_embeddings e WHERE e.tenant_id = %(tenant)s AND e.chunk_id = near.chunk_id OFFSET 0) AS exact
    WHERE exact.distance < 0.99 -- at a cosine of nothing, half precision decides the sign
    ORDER BY exact.distance, near.chunk_id
    LIMIT %(pool)s
), scaled AS (
    SELECT id, bm25, cosine,
           -- The last of a list keeps a hundredth: it was found, which a passage missing from the list was not.
           coalesce(0.01 + 0.99 * (bm25 - min(bm25) OVER ()) / nullif(max(bm25) OVER () - min(bm25) OVER (), 0),
                    sign(bm25), 0) AS word_score,
           coalesce(0.01 + 0.99 * (cosine - min(cosine) OVER ()) / nullif(max(cosine) OVER () - min(cosine) OVER (), 0),
                    sign(cosine), 0) AS meaning_score,
           max(cosine) OVER () AS best_cosine
    FROM by_words FULL JOIN by_meaning USING (id)
), ranked AS (
    SELECT scaled.*, weights.vector * meaning_score + (1 - weights.vector) * word_score AS score, weights.vector AS vector_weight
    FROM scaled, weights
    WHERE weights.vector * meaning_score + (1 - weights.vector) * word_score > 0
    ORDER BY score DESC, id
    LIMIT greatest(%(limit)s, 5)
), hits AS MATERIALIZED (
    SELECT ranked.*, chunk.document_id, chunk.number, chunk.content, chunk.heading_path AS heading
    FROM ranked,
         LATERAL (SELECT c.* FROM knowledge_chunks c WHERE c.id = ranked.id OFFSET 0) AS chunk
), covered AS MATERIALIZED (
    -- In one pass: joined to each hit in turn, all matches would be read as often as there are hits.
    SELECT number, idf / (SELECT nullif(sum(word.idf), 0) FROM (SELECT min(idf) AS idf FROM frequencies GROUP BY place) AS word)
           AS share
    FROM matches
    WHERE number IN (SELECT number FROM hits)
)
SELECT document.id AS document_id, document.external_id, hits.id AS chunk_id, document.title,
       document.metadata ->> 'url' AS url, hits.content, hits.heading, hits.score, hits.cosine,
       coalesce(hits.bm25, 0) AS bm25, hits.best_cosine, hits.vector_weight,
       least(coalesce(covered.share, 0), 1) AS coverage, (SELECT vector_index FROM totals) AS vector_index
FROM hits
JOIN LATERAL (SELECT d.* FROM knowledge_documents d WHERE d.id = hits.document_id OFFSET 0) AS document ON true
LEFT JOIN covered USING (number)
ORDER BY hits.score DESC, hits.id
