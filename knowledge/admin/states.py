"""A document's states in words that everybody knows."""

from typing import Final

from knowledge.models import DocumentStatus

STATES: Final[dict[str, str]] = {
    DocumentStatus.PENDING: "waiting",
    DocumentStatus.PROCESSING: "processing",
    DocumentStatus.READY: "ready",
    DocumentStatus.FAILED: "failed",
}
