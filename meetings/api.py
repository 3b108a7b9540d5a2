"""The doors of meetings/. Tokens for a room come with LiveKit, in the meetings issue."""

import uuid
from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from meetings.models import Meeting
from meetings.representing import MeetingChangeFields, MeetingFields, NewMeetingFields
from meetings.rooms import as_meeting_object, change_meeting, end_meeting, open_meeting
from tenants.rest.filtering import identified, narrowed, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes

FILTERS: Final = (identified("session", "Only the meetings of this conversation.", lookup="sessions"),)


class Meetings(TenantView):
    """Calls that conversations may move to."""

    area = "conversations"

    @extend_schema(
        operation_id="meetings_list",
        parameters=[*PAGE_PARAMETERS, *parameters(FILTERS)],
        request=None,
        responses=page_of(MeetingFields),
    )
    def get(self, request: Request) -> Response:
        """List meetings, newest first."""
        rows = narrowed(request, Meeting.objects.all(), FILTERS)
        return newest_first(request, rows, as_object=as_meeting_object)

    @extend_schema(operation_id="meetings_create", request=NewMeetingFields, responses={201: MeetingFields})
    def post(self, request: Request) -> Response:
        """Open a meeting, for a conversation or by itself."""
        fields = self.valid(NewMeetingFields)
        meeting = open_meeting(
            session_id=fields.pop("session", None), created_by=self.principal.user, **fields
        )
        return Response(as_meeting_object(meeting), status=201)


class OneMeeting(OneRow):
    """One meeting."""

    area = "conversations"

    @extend_schema(operation_id="meetings_read", responses=MeetingFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a meeting."""
        return Response(as_meeting_object(found(Meeting.objects.all(), id)))

    @extend_schema(operation_id="meetings_update", request=MeetingChangeFields, responses=MeetingFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a meeting's title or description."""
        return Response(as_meeting_object(change_meeting(id, **self.valid(MeetingChangeFields))))


class MeetingEnd(TenantView):
    """The end of a meeting."""

    area = "conversations"

    @extend_schema(operation_id="meetings_end", request=None, responses=MeetingFields)
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """End a meeting for everybody."""
        return Response(as_meeting_object(end_meeting(id)))


urlpatterns = [
    *routes("meetings/", Meetings),
    *routes("meetings/<uuid:id>/", OneMeeting),
    *routes("meetings/<uuid:id>/end", MeetingEnd),
]
