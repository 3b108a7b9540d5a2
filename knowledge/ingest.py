"""From a saved text to passages that search finds: parse, split, embed, publish.

A document's row says how far it is, and a promise in `tenants.due_work` says when to look again, so a killed worker or
a lost message delays a document and never loses it. Providers are called outside transactions, a batch at a time; each
batch is a cost event of its own, so that what was spent is in the ledger even if the document fails later.
"""

import logging
import uuid
from datetime import timedelta
from functools import partial
from typing import Final

from celery import current_app
from django.db import transaction
from django.db.models import Q

from ai.embedding import Embeddings, join, wait_for
from billing.costs import ledger
from billing.costs.ledger import NewCostEvent
from kernel import measuring
from kernel.clock import now
from kernel.errors import InvalidInput, ProviderError
from kernel.ids import uuid7
from kernel.outbound import OutboundError
from knowledge import events
from knowledge.files.extracting import TooBusy
from knowledge.models import Document, DocumentStatus, DocumentVersion
from knowledge.parse import parse
from knowledge.paying_embedder import embedder_of, payer
from knowledge.publishing import Prepared, publish
from knowledge.reading import read
from knowledge.split import Piece, split
from knowledge.wording import passage
from tenants import due_work
from tenants.context import TenantMoving, TenantRef, acting_as, require_tenant
from tenants.tasking import HEADER

WORK: Final = "document"
BATCH: Final = 64
LEASE: Final = timedelta(minutes=2)
"""How long a document may go without progress before somebody else may take it over."""
PARSED, EMBEDDED = 0.05, 0.95
"""Progress after parsing and after the last vector; the rest is publishing."""

TASK: Final = "knowledge.ingest_document"

logger = logging.getLogger(__name__)


def enqueue(document_id: uuid.UUID) -> None:
    """Promise that the document will be looked at, and send it to a worker when the transaction commits."""
    due_work.promise(WORK, document_id, now() + LEASE)
    transaction.on_commit(partial(_send, require_tenant(), document_id))


def _send(tenant: TenantRef, document_id: uuid.UUID) -> None:
    try:
        current_app.send_task(TASK, [str(document_id)], headers={HEADER: str(tenant.id)}, retry=False)
    except Exception:
        # Whatever a broker can raise: the document is committed, and the sweep keeps the promise.
        logger.warning("could not send document %s to a worker; the sweep will", document_id, exc_info=True)


def forget(document_id: uuid.UUID) -> None:
    """Nothing needs to be done for the document any more."""
    due_work.keep(WORK, document_id)


def ingest(tenant: TenantRef, document_id: uuid.UUID) -> bool:
    """Process the document's newest version; True when it was published.

    False where there was nothing to do, somebody else does it, this machine is too busy, or the text cannot be read
    (the row says why).
    Idempotent. Call it outside any transaction. Raises ProviderError, and OutboundError where a page may be there
    later; the document is then pending again.
    """
    version = _claim(tenant, document_id)
    if version is None:
        return False
    try:
        if version.is_unread:
            found = read(tenant, version)
            if found is None:
                with acting_as(tenant):
                    _forget_if_settled(document_id)
                return False
            version = found
        parsed = parse(version.content)
        pieces = split(parsed.text)
        if not pieces:
            raise InvalidInput.of("content", "has no readable text")
    except InvalidInput as error:
        give_up(tenant, document_id, error.detail, version.number)
        return False
    except TooBusy as error:
        # The promise stands: the sweep sends the document again.
        _put_off(tenant, document_id, version.number, error.detail)
        return False
    except OutboundError as error:
        if not error.retryable:
            give_up(tenant, document_id, f"url: {error.detail}", version.number)
            return False
        _put_off(tenant, document_id, version.number, f"url: {error.detail}")
        raise
    try:
        embeddings = _embed(tenant, document_id, version.title, pieces)
    except ProviderError as error:
        _put_off(tenant, document_id, version.number, error.detail)
        raise
    prepared = Prepared(
        version.number, version.title, parsed.language, pieces, embeddings.vectors, embeddings.model
    )
    with acting_as(tenant):
        published = publish(document_id, prepared)
        _forget_if_settled(document_id)
    if published:
        measuring.DOCUMENTS.labels("ready").inc()
    return published


def give_up(tenant: TenantRef, document_id: uuid.UUID, reason: str, number: int | None = None) -> None:
    """The newest version cannot be processed: `number`, or whichever is the newest. One that has come since is not
    touched. What search found of the document before, it still finds."""
    which = {} if number is None else {"latest": number}
    with acting_as(tenant):
        given_up = Document.objects.filter(pk=document_id, **which).update(
            status=DocumentStatus.FAILED, error=reason, updated_at=now()
        )
        if given_up:
            forget(document_id)
            events.of_document(events.DOCUMENT_FAILED, document_id)
            measuring.DOCUMENTS.labels("failed").inc()


def _put_off(tenant: TenantRef, document_id: uuid.UUID, number: int, reason: str) -> None:
    with acting_as(tenant):
        Document.objects.filter(pk=document_id, latest=number).update(
            status=DocumentStatus.PENDING, error=reason, updated_at=now()
        )


def _forget_if_settled(document_id: uuid.UUID) -> None:
    """Keep the promise, unless a newer version waits that it is for as well. The document is locked, so that none
    comes in between."""
    document = Document.objects.select_for_update().filter(pk=document_id).first()
    if document is None or document.status != DocumentStatus.PENDING:
        forget(document_id)


def requeue_overdue() -> int:
    """Send again every document whose promised time has passed, of all tenants; how many."""
    overdue = due_work.overdue(WORK, now())
    for work in overdue:
        try:
            with acting_as(work.tenant):
                if Document.objects.present().filter(pk=work.key).exists():
                    enqueue(work.key)
                else:
                    due_work.keep(WORK, work.key)
        except TenantMoving:
            continue  # its turn comes when it has arrived; others do not wait for it
    return len(overdue)


def _claim(tenant: TenantRef, document_id: uuid.UUID) -> DocumentVersion | None:
    """Take the document to work on: its newest version; None: nothing to do."""
    with acting_as(tenant):
        free = Q(status=DocumentStatus.PENDING) | Q(
            status=DocumentStatus.PROCESSING, updated_at__lt=now() - LEASE
        )
        taken = Document.objects.present().filter(free, pk=document_id)
        if not taken.update(status=DocumentStatus.PROCESSING, progress=0.0, error="", updated_at=now()):
            if (
                not Document.objects.present()
                .filter(pk=document_id, status=DocumentStatus.PROCESSING)
                .exists()
            ):
                forget(document_id)
            return None
        newest = Document.objects.get(pk=document_id).newest
        _advance(document_id, PARSED)
        return newest


def _embed(tenant: TenantRef, document_id: uuid.UUID, title: str, pieces: list[Piece]) -> Embeddings:
    chosen = embedder_of(tenant)
    run = uuid7()
    texts = [passage(title, piece.heading, piece.content) for piece in pieces]
    parts: list[Embeddings] = []
    for start in range(0, len(texts), BATCH):
        part = wait_for(chosen.embed(texts[start : start + BATCH], kind="passage"))
        parts.append(part)
        done = min(1.0, (start + BATCH) / len(texts))
        with acting_as(tenant):
            _book(document_id, part, f"ingest:{run}:{start // BATCH}")
            _advance(document_id, PARSED + (EMBEDDED - PARSED) * done)
    return join(parts)


def _book(document_id: uuid.UUID, part: Embeddings, key: str) -> None:
    event = NewCostEvent(
        service="embedding",
        provider=part.provider,
        model=part.model,
        idempotency_key=key,
        feature="ingest",
        usage=part.usage,
        latency_ms=part.latency_ms,
        estimated=part.usage.estimated,
        metadata={"operation": "ingest", "document": str(document_id), **payer(part)},
    )
    ledger.record([event])


def _advance(document_id: uuid.UUID, progress: float) -> None:
    """Show progress, and keep the document from being taken over."""
    Document.objects.filter(pk=document_id, status=DocumentStatus.PROCESSING).update(
        progress=round(progress, 4), updated_at=now()
    )
    due_work.promise(WORK, document_id, now() + LEASE)
