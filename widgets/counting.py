"""How many widgets and conversations the acting tenant has, as plans count them, and how many answers it was spared."""

from datetime import datetime, timedelta
from typing import Final

from django.db.models import Count, Q

from kernel import clock
from tenants.spend_caps import CAPS, CapName
from widgets.models import Message, MessageRole, Session, Widget

STOPPED_BY_CAP: Final = Q(metadata__has_key="cap")
"""Of the AI's messages: it was not asked, because a spend cap had no room."""
LOOKED_BACK: Final = timedelta(days=7)


def active_widgets(since: datetime) -> int:
    """Widgets that can be shown now."""
    return Widget.objects.filter(is_active=True).count()


def conversations(since: datetime) -> int:
    """Conversations begun since then."""
    return Session.objects.filter(created_at__gte=since).count()


def stopped_by_caps(widget: Widget) -> dict[CapName, int]:
    """How many questions at a widget were not answered in the last seven days, by the cap that had no room; only those
    that stopped any."""
    recent = Message.objects.filter(
        STOPPED_BY_CAP,
        timestamp__gte=clock.now() - LOOKED_BACK,
        role=MessageRole.ASSISTANT,
        session__widget=widget,
    )
    found = dict(recent.order_by().values_list("metadata__cap").annotate(number=Count("pk")))
    return {name: found[name] for name in CAPS if name in found}
