"""Vectors anew after EMBEDDING_MODEL has changed: in the background, document by document, without a new version.

Vectors of two models are never compared: until its turn comes, a document is found by its words alone. Beat finds who
has vectors of another model and promises each of their documents (`tenants.due_work`); one task per tenant keeps the
promises one after the other, so that a tenant of any size takes one thread of the worker. What is left is counted by
the promises. Chunks keep their ids, so citations stay what they are.
"""

import logging
import time
import uuid
from datetime import timedelta
from functools import partial
from typing import Any, Final

import numpy as np
from celery import current_app
from django.db import connection, transaction
from django.db.models import Q

from ai.embedding import Embeddings, embedder, wait_for
from billing.costs import ledger
from billing.costs.ledger import NewCostEvent
from kernel.clock import now
from kernel.errors import ProviderError
from kernel.ids import uuid7
from knowledge.models import Chunk, ChunkEmbedding, Document
from knowledge.paying_embedder import embedder_of, payer
from knowledge.publishing import locked_totals
from knowledge.statements import statement
from knowledge.wording import passage
from tenants import due_work
from tenants.context import TenantRef, acting_as, require_tenant
from tenants.directory import all_tenants
from tenants.models import DueWork
from tenants.tasking import HEADER

WORK: Final = "reembed"
TASK: Final = "knowledge.reembed"
BATCH: Final = 64
LEASE: Final = timedelta(minutes=5)
FAILED_PAUSE: Final = timedelta(hours=1)
"""After a provider's refusal that will not pass by itself, such as a wrong key."""
RUN_S: Final = 30.0
"""How long one task works before it makes room for others; it sends its successor."""

logger = logging.getLogger(__name__)


def order() -> int:
    """Promise every document of the acting tenant that has vectors of another model than EMBEDDING_MODEL; how many
    wait now. Sends a task when the transaction commits."""
    model = embedder().model
    # As two ranges, which the index of the codes answers at once; "not equal" would read all of it.
    other = Q(embedding_model__lt=model) | Q(embedding_model__gt=model)
    if not ChunkEmbedding.objects.filter(other).exists():
        return 0
    waiting = set(DueWork.objects.filter(kind=WORK).values_list("key", flat=True))
    outdated = set(ChunkEmbedding.objects.filter(other).values_list("chunk__document_id", flat=True))
    for document_id in sorted(outdated - waiting):
        due_work.promise(WORK, document_id, now())
    transaction.on_commit(partial(_send, require_tenant()))
    return len(outdated | waiting)


def order_for_everybody() -> int:
    """`order` for every tenant, as beat does; how many documents wait."""
    waiting = 0
    for tenant in all_tenants():
        with acting_as(tenant):
            waiting += order()
    return waiting


def resume() -> int:
    """Send the tasks of tenants whose promises are overdue, because a worker died or a provider failed; how many."""
    tenants = {work.tenant for work in due_work.overdue(WORK, now())}
    for tenant in tenants:
        _send(tenant)
    return len(tenants)


def remaining() -> int:
    """How many of the acting tenant's documents wait for new vectors."""
    return DueWork.objects.filter(kind=WORK).count()


def work(tenant: TenantRef) -> None:
    """Keep the tenant's promises that are due, for RUN_S at most; then a successor is sent. Call it outside any
    transaction. A provider's failure is logged and puts the document off."""
    began = time.monotonic()
    while time.monotonic() - began < RUN_S:
        with acting_as(tenant):
            document_id = _take()
        if document_id is None:
            return
        try:
            reembed(tenant, document_id)
        except ProviderError as error:
            logger.warning("document %s keeps its old vectors for now: %s", document_id, error.detail)
            pause = timedelta(seconds=error.retry_after or 60) if error.retryable else FAILED_PAUSE
            with acting_as(tenant):
                due_work.promise(WORK, document_id, now() + pause)
            return
    _send(tenant)


def reembed(tenant: TenantRef, document_id: uuid.UUID) -> int:
    """Give the published chunks of a document vectors of EMBEDDING_MODEL where they have others; how many. Raises
    ProviderError; batches that were stored by then stay."""
    chosen = embedder_of(tenant)
    with acting_as(tenant):
        title, chunks = _outdated_chunks(document_id, chosen.model)
    run = uuid7()
    for start in range(0, len(chunks), BATCH):
        batch = chunks[start : start + BATCH]
        texts = [passage(title, chunk.heading_path, chunk.content) for chunk in batch]
        made = wait_for(chosen.embed(texts, kind="passage"))
        with acting_as(tenant):
            _store(document_id, [chunk.pk for chunk in batch], made, f"reembed:{run}:{start // BATCH}")
            due_work.promise(WORK, document_id, now() + LEASE)
    with acting_as(tenant):
        due_work.keep(WORK, document_id)
    return len(chunks)


def _take() -> uuid.UUID | None:
    free = DueWork.objects.select_for_update(skip_locked=True).filter(kind=WORK, due_at__lte=now())
    taken = free.order_by("due_at").values_list("key", flat=True).first()
    if taken is not None:
        due_work.promise(WORK, taken, now() + LEASE)
    return taken


def _outdated_chunks(document_id: uuid.UUID, model: str) -> tuple[str, list[Chunk]]:
    document = Document.objects.present().filter(pk=document_id, version__gt=0).first()
    if document is None:
        return "", []
    title = document.versions.values_list("title", flat=True).get(number=document.version)
    chunks = Chunk.objects.filter(document=document).exclude(embeddings__embedding_model=model)
    return title, list(chunks.only("heading_path", "content").order_by("position"))


def _store(document_id: uuid.UUID, ids: list[uuid.UUID], made: Embeddings, key: str) -> None:
    # As publishing does: while maintain moves the tenant's vectors, they stand still.
    locked_totals()
    half = made.vectors.astype(np.float16)
    values: dict[str, Any] = {
        "tenant": require_tenant().id,
        "document": document_id,
        "ids": ids,
        "embeddings": [str(row.tolist()) for row in half],
        "model": made.model,
    }
    with connection.cursor() as cursor:
        cursor.execute(statement("replace_vectors"), values)
        cursor.execute(statement("average_vectors"), values)
    event = NewCostEvent(
        service="embedding",
        provider=made.provider,
        model=made.model,
        idempotency_key=key,
        feature="ingest",
        usage=made.usage,
        latency_ms=made.latency_ms,
        estimated=made.usage.estimated,
        metadata={"operation": "reembed", "document": str(document_id), **payer(made)},
    )
    ledger.record([event])


def _send(tenant: TenantRef) -> None:
    try:
        current_app.send_task(TASK, headers={HEADER: str(tenant.id)}, retry=False)
    except Exception:
        # Whatever a broker can raise: the promises are committed, and `resume` keeps them.
        logger.warning("could not send the re-embedding of tenant %s to a worker", tenant.id, exc_info=True)
