"""How many documents the acting tenant has, as plans count them."""

from datetime import datetime

from knowledge.models import Document


def documents(since: datetime) -> int:
    """Documents that are not deleted."""
    return Document.objects.present().count()
