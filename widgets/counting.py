"""How many widgets and conversations the acting tenant has, as plans count them."""

from datetime import datetime

from widgets.models import Session, Widget


def active_widgets(since: datetime) -> int:
    """Widgets that can be shown now."""
    return Widget.objects.filter(is_active=True).count()


def conversations(since: datetime) -> int:
    """Conversations begun since then."""
    return Session.objects.filter(created_at__gte=since).count()
