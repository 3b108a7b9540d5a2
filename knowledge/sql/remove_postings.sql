-- Take some chunks out of the keyword index, given the words they were entered with; returns how many words they had.
WITH found AS MATERIALIZED (
    SELECT chunk.number, word.lexeme, cardinality(word.positions) AS occurrences
    FROM unnest(%(numbers)s::int[], %(texts)s::text[]) AS chunk (number, words),
         unnest(to_tsvector(%(stemmer)s::regconfig, chunk.words)) AS word
    WHERE length(word.lexeme) <= 64
), leaving AS (
    SELECT lexeme, number >> 10 AS block, array_agg(number & 1023) AS places FROM found GROUP BY lexeme, number >> 10
), remaining AS MATERIALIZED (
    SELECT posting.lexeme, posting.block,
           ARRAY(SELECT entry FROM unnest(posting.entries) AS entry WHERE entry & 1023 <> ALL (leaving.places)) AS entries
    FROM leaving,
         LATERAL (SELECT p.lexeme, p.block, p.entries FROM knowledge_postings p
                  WHERE p.lexeme = leaving.lexeme AND p.block = leaving.block OFFSET 0) AS posting
), emptied AS (
    DELETE FROM knowledge_postings p USING remaining r
    WHERE p.lexeme = r.lexeme AND p.block = r.block AND r.entries = '{}'
), thinned AS (
    UPDATE knowledge_postings p SET entries = r.entries FROM remaining r
    WHERE p.lexeme = r.lexeme AND p.block = r.block AND r.entries <> '{}'
)
SELECT coalesce(sum(occurrences), 0) FROM found
