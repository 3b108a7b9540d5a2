"""Puts a version's chunks where search finds them, and takes the old ones away, in one transaction.

A search is one statement and so sees one moment: the old version's chunks or the new one's, never a mixture.
Everything here runs inside `acting_as` and holds the tenant's totals row, so two publications of one tenant follow one
another, and neither chunk numbers nor totals can be counted twice. Readers are never held up.
"""

import uuid
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db import connection

from ai.embedding import Vectors
from ai.usage import estimate_tokens
from kernel.ids import uuid7
from knowledge import events
from knowledge.language import stemmer
from knowledge.models import Chunk, Document, DocumentStatus, KnowledgeTotals
from knowledge.split import Piece
from knowledge.statements import statement
from knowledge.vector_index import deciding
from knowledge.wording import above, prose, words
from tenants.context import require_tenant


@dataclass(frozen=True, slots=True)
class Prepared:
    """A version ready to be published: its pieces and their vectors, one each, made by one model."""

    number: int
    title: str
    language: str
    pieces: Sequence[Piece]
    vectors: Vectors
    model: str


def publish(document_id: uuid.UUID, prepared: Prepared) -> bool:
    """Make `prepared` what search finds of the document. False where it is not wanted any more: the document was
    deleted, or has a newer version, or has this one already. Leaves the document ready."""
    totals = locked_totals()
    document = Document.objects.select_for_update().filter(pk=document_id).first()
    if document is None or document.is_deleted or document.latest != prepared.number:
        return False
    if document.version == prepared.number:
        return False
    _withdraw_chunks(document, totals)
    _add(document, prepared, totals)
    document.version = prepared.number
    document.language = prepared.language
    document.status, document.error, document.progress = DocumentStatus.READY, "", 1.0
    document.embedding = _mean(prepared.vectors)
    document.save()
    totals.save()
    deciding.reconsider(totals.chunks)
    events.of_document(events.DOCUMENT_READY, document.pk)
    return True


def withdraw(document: Document) -> None:
    """Take the document's chunks out of search. The document itself stays as it is; version 0: nothing is found."""
    totals = locked_totals()
    _withdraw_chunks(document, totals)
    document.version = 0
    document.embedding = None
    document.save()
    totals.save()
    deciding.reconsider(totals.chunks)


def searchable_words(title: str, heading: str, content: str) -> str:
    """The text of a chunk that the keyword index is made from. Taking out needs the same text as entering did."""
    return words(f"{above(title, heading)}\n{prose(content)}")


def locked_totals() -> KnowledgeTotals:
    """The acting tenant's totals, held to the transaction's end: nobody else publishes, withdraws or moves vectors."""
    KnowledgeTotals.objects.bulk_create([KnowledgeTotals()], ignore_conflicts=True)
    return KnowledgeTotals.objects.select_for_update().get()


def _withdraw_chunks(document: Document, totals: KnowledgeTotals) -> None:
    chunks = list(Chunk.objects.filter(document=document).only("number", "heading_path", "content"))
    if not chunks:
        return
    published = document.versions.get(number=document.version)
    chosen = stemmer(document.language)
    texts = [searchable_words(published.title, chunk.heading_path, chunk.content) for chunk in chunks]
    totals.words -= _postings("remove_postings", chosen, [chunk.number for chunk in chunks], texts)
    totals.chunks -= len(chunks)
    left = totals.stemmers.get(chosen, 0) - len(chunks)
    totals.stemmers = {**totals.stemmers, chosen: left}
    if left <= 0:
        del totals.stemmers[chosen]
    # Plain SQL: Django would fetch every chunk to cascade to its vector, which the database does by itself.
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM knowledge_chunks WHERE document_id = %s", [document.pk])


def _add(document: Document, prepared: Prepared, totals: KnowledgeTotals) -> None:
    wanted = len(prepared.pieces)
    chosen = stemmer(prepared.language)
    half = prepared.vectors.astype(np.float16)
    with connection.cursor() as cursor:
        cursor.execute(statement("free_chunk_numbers"), {"wanted": wanted})
        numbers = [number for (number,) in cursor.fetchall()]
        cursor.execute(
            statement("add_chunks"),
            {
                "tenant": require_tenant().id,
                "document": document.pk,
                "version": prepared.number,
                "ids": [uuid7() for _ in prepared.pieces],
                "numbers": numbers,
                "contents": [piece.content for piece in prepared.pieces],
                "headings": [piece.heading for piece in prepared.pieces],
                "tokens": [estimate_tokens(piece.content) for piece in prepared.pieces],
                "embeddings": [str(row.tolist()) for row in half],
                "model": prepared.model,
            },
        )
    texts = [searchable_words(prepared.title, piece.heading, piece.content) for piece in prepared.pieces]
    totals.words += _postings("add_postings", chosen, numbers, texts)
    totals.chunks += wanted
    totals.stemmers = {**totals.stemmers, chosen: totals.stemmers.get(chosen, 0) + wanted}


def _postings(name: str, chosen: str, numbers: list[int], texts: list[str]) -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            statement(name),
            {"tenant": require_tenant().id, "stemmer": chosen, "numbers": numbers, "texts": texts},
        )
        (count,) = cursor.fetchone()
    return int(count)


def _mean(vectors: Vectors) -> list[float]:
    """The direction of the document as a whole."""
    mean = vectors.mean(axis=0)
    length = float(np.linalg.norm(mean))
    return [float(value) for value in (mean / length if length else mean)]
