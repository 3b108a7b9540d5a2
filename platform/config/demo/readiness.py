"""Can the demo answer yet? Its documents are ingested by the worker after the demo is installed."""

from config.demo.installing import tenants
from knowledge.models import Document, DocumentStatus
from tenants.context import acting_as


def documents_missing() -> str | None:
    """How many of the demo's documents are not ready; None where all are, or where there is no demo."""
    waiting = failed = 0
    for tenant in tenants():
        with acting_as(tenant):
            # Only those the demo came with: what somebody adds later says nothing about this copy's start.
            documents = Document.objects.filter(external_id__startswith="demo/")
            failed += documents.filter(status=DocumentStatus.FAILED).count()
            waiting += documents.filter(
                status__in=[DocumentStatus.PENDING, DocumentStatus.PROCESSING]
            ).count()
    if failed:
        return f"{failed} of its documents could not be read: see their error in the admin"
    return f"{waiting} of its documents are still being read" if waiting else None
