-- Enter the words of some chunks into the keyword index; returns how many words they have.
-- An entry packs length (15 bits), occurrences (6) and number within the block (10): see models.Posting.
-- Lexemes over 64 characters are encoded data, not words that anybody asks for.
WITH found AS MATERIALIZED (
    SELECT chunk.number, word.lexeme, cardinality(word.positions) AS occurrences
    FROM unnest(%(numbers)s::int[], %(texts)s::text[]) AS chunk (number, words),
         unnest(to_tsvector(%(stemmer)s::regconfig, chunk.words)) AS word
    WHERE length(word.lexeme) <= 64
), lengths AS MATERIALIZED (
    SELECT number, sum(occurrences)::int AS length FROM found GROUP BY number
), packed AS (
    SELECT lexeme, number >> 10 AS block,
           array_agg((least(length, 32767) << 16) | (least(occurrences, 63) << 10) | (number & 1023) ORDER BY number)
               AS entries
    FROM found JOIN lengths USING (number)
    GROUP BY lexeme, number >> 10
), written AS (
    INSERT INTO knowledge_postings AS posting (tenant_id, lexeme, block, entries)
    SELECT %(tenant)s, lexeme, block, entries FROM packed ORDER BY lexeme, block
    ON CONFLICT (tenant_id, lexeme, block) DO UPDATE SET entries = posting.entries || excluded.entries
)
SELECT coalesce(sum(length), 0) FROM lengths
