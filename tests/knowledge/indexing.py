"""The keyword index as it is stored, and as it should be, worked out anew from the chunks."""

from django.db import connection

from knowledge.language import stemmer
from knowledge.models import Chunk, KnowledgeTotals, Posting
from knowledge.publishing import searchable_words


def stored_postings():
    """(lexeme, chunk number, occurrences, length) of every entry of the acting tenant, and the totals."""
    entries = set()
    for posting in Posting.objects.all():
        for entry in posting.entries:
            found = (posting.lexeme, posting.block * 1024 + (entry & 1023), entry >> 10 & 63, entry >> 16)
            assert found not in entries
            entries.add(found)
    totals = KnowledgeTotals.objects.filter(chunks__gt=0).first()
    return entries, totals and (totals.chunks, totals.words, totals.stemmers)


def expected_postings():
    """The same from the chunks' text and PostgreSQL's own parser."""
    entries, words, stemmers = set(), 0, {}
    chunks = list(Chunk.objects.select_related("document"))
    for chunk in chunks:
        title = chunk.document.versions.get(number=chunk.version).title
        chosen = stemmer(chunk.document.language)
        found = lexemes(chosen, searchable_words(title, chunk.heading_path, chunk.content))
        length = sum(found.values())
        words += length
        stemmers[chosen] = stemmers.get(chosen, 0) + 1
        entries |= {(lexeme, chunk.number, min(count, 63), length) for lexeme, count in found.items()}
    return entries, (len(chunks), words, stemmers) if chunks else None


def lexemes(chosen, text):
    """How often each lexeme occurs in `text`."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT lexeme, cardinality(positions) FROM unnest(to_tsvector(%s::regconfig, %s))"
            " WHERE length(lexeme) <= 64",
            [chosen, text],
        )
        return dict(cursor.fetchall())
