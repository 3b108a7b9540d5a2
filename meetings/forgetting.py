"""What meetings hold of a person: those that their conversations moved to, with recording and transcript. Inside
`acting_as`."""

from django.db.models import QuerySet

from meetings.models import Meeting
from tenants.directory import release
from tenants.forgetting import Person
from tenants.models import KeyKind


def meetings_of(person: Person) -> int:
    """How many meetings a visitor's conversations moved to."""
    return _meetings(person).count()


def forget(person: Person) -> None:
    """Delete these meetings; their rooms' names lead nowhere."""
    for room in list(_meetings(person).values_list("room_name", flat=True)):
        release(KeyKind.ROOM, room)
        Meeting.objects.filter(room_name=room).delete()


def _meetings(person: Person) -> "QuerySet[Meeting]":
    return Meeting.objects.filter(sessions__in=person.session_ids).distinct()
