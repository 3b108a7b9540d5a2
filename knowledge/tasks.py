"""Celery's door to ingest."""

import uuid
from typing import Any, Final

from celery import shared_task
from celery.exceptions import MaxRetriesExceededError

from kernel.errors import ProviderError
from kernel.outbound import OutboundError
from knowledge import ingest, purging, reembedding

RETRIES: Final = 8
LONGEST_WAIT_S: Final = 300
PAGE_RETRIES: Final = 3
"""A page that is not there: the first retry comes after PAGE_WAIT_S seconds, each later one after twice as long."""
PAGE_WAIT_S: Final = 15.0


@shared_task(name=ingest.TASK, bind=True, tenant_mode="manual", max_retries=RETRIES)
def ingest_document(self: Any, document_id: str) -> None:
    """Process one document; tried again while a provider or a page's server fails in a way that may pass."""
    identifier = uuid.UUID(document_id)
    try:
        ingest.ingest(self.tenant, identifier)
    except ProviderError as error:
        if not error.retryable:
            ingest.give_up(self.tenant, identifier, error.detail)
            return
        wait = error.retry_after or min(2.0**self.request.retries, LONGEST_WAIT_S)
        try:
            raise self.retry(exc=error, countdown=wait)
        except (MaxRetriesExceededError, ProviderError):
            ingest.give_up(self.tenant, identifier, error.detail)
    except OutboundError as error:
        try:
            raise self.retry(
                exc=error, countdown=PAGE_WAIT_S * 2.0**self.request.retries, max_retries=PAGE_RETRIES
            )
        except (MaxRetriesExceededError, OutboundError):
            ingest.give_up(self.tenant, identifier, f"url: {error.detail}")


@shared_task(name="knowledge.requeue_documents", tenant_mode=None)
def requeue_documents() -> None:
    """Find documents whose worker died."""
    ingest.requeue_overdue()


@shared_task(name="knowledge.purge_documents", tenant_mode=None)
def purge_documents() -> None:
    """Delete for good what was deleted long enough ago."""
    purging.purge_due()


@shared_task(name=reembedding.TASK, bind=True, tenant_mode="manual")
def reembed(self: Any) -> None:
    """Give documents of one tenant vectors of the model in use."""
    reembedding.work(self.tenant)


@shared_task(name="knowledge.resume_reembedding", tenant_mode=None)
def resume_reembedding() -> None:
    """Go on where a worker died or a provider failed."""
    reembedding.resume()


@shared_task(name="knowledge.find_outdated_vectors", tenant_mode=None)
def find_outdated_vectors() -> None:
    """Find who has vectors of another model than the one in use."""
    reembedding.order_for_everybody()
