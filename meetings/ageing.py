"""Meetings that ended before their tenant's conversations are kept, with recording and transcript. Inside
`acting_as`."""

from datetime import datetime

from django.db.models import QuerySet

from meetings.models import Meeting
from tenants.directory import release
from tenants.models import KeyKind


def meetings_before(moment: datetime) -> int:
    """How many meetings ended before."""
    return _meetings(moment).count()


def delete_meetings(moment: datetime, limit: int) -> int:
    """Delete some of these; their rooms' names lead nowhere; how many."""
    old = _meetings(moment).select_for_update(of=("self",), skip_locked=True).order_by("pk")
    found = list(old.values_list("pk", "room_name")[:limit])
    for identifier, room in found:
        release(KeyKind.ROOM, room)
        Meeting.objects.filter(pk=identifier).delete()
    return len(found)


def _meetings(moment: datetime) -> "QuerySet[Meeting]":
    return Meeting.objects.filter(ended_at__lt=moment)
