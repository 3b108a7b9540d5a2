"""The admin's pages of documents."""

from knowledge.admin.documents import DocumentAdmin

__all__ = ["DocumentAdmin"]
