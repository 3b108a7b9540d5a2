"""Opening and ending meetings. A room has an unguessable name; who may enter it comes with the meetings issue."""

import secrets
import uuid
from typing import Any, Final

from kernel import clock
from kernel.errors import Conflict, InvalidInput, NotFound
from meetings.models import Meeting
from tenants.directory import claim
from tenants.models import KeyKind, User
from widgets.models import Session, SessionStatus

PREFIX: Final = "room_"
NAME_BYTES: Final = 18


def open_meeting(
    *,
    title: str = "",
    description: str = "",
    session_id: uuid.UUID | None = None,
    created_by: User | None = None,
) -> Meeting:
    """A new meeting of the acting tenant, and the conversation that moves to it where one is named.

    Raises InvalidInput for a session that is none of the tenant's, Conflict for one that has ended or is in a meeting
    that has not.
    """
    session = _free_session(session_id) if session_id is not None else None
    said = {"title": title, "description": description}
    meeting = Meeting(
        room_name=PREFIX + secrets.token_urlsafe(NAME_BYTES),
        created_by=created_by,
        metadata={key: value for key, value in said.items() if value},
    )
    claim(KeyKind.ROOM, meeting.room_name)
    meeting.save(force_insert=True)
    if session is not None:
        Session.objects.filter(pk=session.pk).update(meeting=meeting, updated_at=clock.now())
    return meeting


def change_meeting(meeting_id: uuid.UUID, **said: str) -> Meeting:
    """A meeting with another `title` or `description`. Raises NotFound."""
    meeting = _locked(meeting_id)
    meeting.metadata = {key: value for key, value in {**meeting.metadata, **said}.items() if value}
    meeting.save(update_fields=["metadata", "updated_at"])
    return meeting


def end_meeting(meeting_id: uuid.UUID) -> Meeting:
    """End a meeting for everybody. Raises NotFound, Conflict (`meeting_ended`) where it has ended already."""
    meeting = _locked(meeting_id)
    if meeting.ended_at is not None:
        raise Conflict("This meeting has ended.", code="meeting_ended")
    meeting.ended_at = clock.now()
    meeting.save(update_fields=["ended_at", "updated_at"])
    return meeting


def as_meeting_object(meeting: Meeting) -> dict[str, Any]:
    """A meeting as the API names its parts."""
    said = meeting.metadata
    return {
        "id": meeting.pk,
        "room_name": meeting.room_name,
        "title": said.get("title", ""),
        "description": said.get("description", ""),
        "participants": said.get("participants", []),
        "created_by": meeting.created_by_id,
        "started_at": meeting.started_at,
        "ended_at": meeting.ended_at,
        "recording": meeting.recording,
        "transcript": meeting.transcript,
        "created_at": meeting.created_at,
        "updated_at": meeting.updated_at,
    }


def _locked(meeting_id: uuid.UUID) -> Meeting:
    meeting = Meeting.objects.select_for_update(of=("self",)).filter(pk=meeting_id).first()
    if meeting is None:
        raise NotFound(f"There is no meeting {meeting_id}.")
    return meeting


def _free_session(session_id: uuid.UUID) -> Session:
    session = Session.objects.select_for_update(of=("self",)).filter(pk=session_id).first()
    if session is None:
        raise InvalidInput.of("session", "must be the id of one of your sessions")
    if session.status == SessionStatus.ENDED:
        raise Conflict("This conversation has ended.", code="session_ended")
    if session.meeting_id and Meeting.objects.filter(pk=session.meeting_id, ended_at=None).exists():
        raise Conflict("This conversation is in a meeting already.", code="session_in_meeting")
    return session
