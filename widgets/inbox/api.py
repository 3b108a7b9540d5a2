"""The doors of sessions/ with their messages/, and of feedback/."""

import uuid
from typing import Any, Final

from asgiref.sync import async_to_sync
from django.http import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput, NotFound
from tenants.context import acting_as
from tenants.models import User
from tenants.rest.filtering import identified, moment, narrowed, one_of, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.rendering import EVENT_STREAM, JSON
from tenants.rest.views import OneRow, TenantView, found, routes
from widgets.chat.messages import FIELDS as MESSAGE_COLUMNS
from widgets.chat.messages import as_message_object
from widgets.headless.conversations import answer_to, open_conversation, say_as_visitor
from widgets.headless.conversing import answer_frames, hear_answer
from widgets.inbox.noting import note_down
from widgets.inbox.replying import reply
from widgets.inbox.taking_over import assign, colleague, end, release, take_over
from widgets.models import Message, Session, SessionMode, SessionStatus
from widgets.representing import (
    FRAME_EVENT,
    AssignmentFields,
    MessageFields,
    NewMessageFields,
    NewSessionFields,
    SaidFields,
    SessionChangeFields,
    SessionFields,
    TakeoverFields,
)
from widgets.sessions import COLUMNS, as_session_object, session_object

FILTERS: Final = (
    identified("widget", "Only sessions of this widget."),
    identified("visitor", "Only sessions of this visitor."),
    identified("assignee", "Only sessions that this member looks after."),
    one_of("status", SessionStatus, "Only sessions in this state."),
    one_of("mode", SessionMode, "Only sessions in this mode."),
    moment("created_after", "created_at__gte", "Only sessions begun at or after this time."),
    moment("created_before", "created_at__lt", "Only sessions begun before this time."),
)


class Sessions(TenantView):
    """A tenant's conversations."""

    area = "conversations"

    @extend_schema(
        operation_id="sessions_list",
        parameters=[*PAGE_PARAMETERS, *parameters(FILTERS)],
        request=None,
        responses=page_of(SessionFields),
    )
    def get(self, request: Request) -> Response:
        """List conversations, newest first."""
        rows = narrowed(request, Session.objects.all(), FILTERS)
        return newest_first(
            request, rows, by=("created_at", "id"), columns=COLUMNS, as_object=as_session_object
        )

    @extend_schema(
        operation_id="sessions_create",
        request=NewSessionFields,
        responses={200: SessionFields, 201: SessionFields},
    )
    def post(self, request: Request) -> Response:
        """Open a conversation for a user of yours. 200: the one that this visitor has open already."""
        fields = self.valid(NewSessionFields)
        session, is_new = open_conversation(widget_id=fields.pop("widget", None), **fields)
        return Response(session_object(session.pk), status=201 if is_new else 200)


class OneSession(OneRow):
    """One conversation."""

    area = "conversations"

    @extend_schema(operation_id="sessions_read", responses=SessionFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a conversation."""
        return Response(session_object(id))

    @extend_schema(operation_id="sessions_update", request=SessionChangeFields, responses=SessionFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Note down tags or an outcome."""
        note_down(id, **self.valid(SessionChangeFields))
        return Response(session_object(id))


class SessionTakeover(TenantView):
    """A person takes over."""

    area = "conversations"

    @extend_schema(operation_id="sessions_takeover", request=TakeoverFields, responses=SessionFields)
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Give a conversation to a person; the AI answers no more. One of two who come at once gets it."""
        take_over(id, _agent(self, self.valid(TakeoverFields).get("member")))
        return Response(session_object(id))


class SessionAssignment(TenantView):
    """Somebody is to look after it."""

    area = "conversations"

    @extend_schema(operation_id="sessions_assign", request=AssignmentFields, responses=SessionFields)
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Make a member, or nobody, the one who looks after a conversation. Who answers it stays as it is."""
        member = self.valid(AssignmentFields)["member"]
        assign(id, colleague(member) if member else None, by=self.principal.user)
        return Response(session_object(id))


class SessionRelease(TenantView):
    """Back to the AI."""

    area = "conversations"

    @extend_schema(operation_id="sessions_release", request=None, responses=SessionFields)
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """Give a conversation back to the AI."""
        release(id, by=self.principal.user)
        return Response(session_object(id))


class SessionEnd(TenantView):
    """The end."""

    area = "conversations"

    @extend_schema(operation_id="sessions_end", request=None, responses=SessionFields)
    def post(self, request: Request, id: uuid.UUID) -> Response:
        """End a conversation for good."""
        end(id, by=self.principal.user)
        return Response(session_object(id))


class Messages(TenantView):
    """The messages of one conversation."""

    area = "conversations"
    atomic = False
    problems = (503,)

    @extend_schema(
        operation_id="messages_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(MessageFields),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """List the messages of a conversation, newest first."""
        with acting_as(self.principal.tenant):
            rows = Message.objects.filter(session_id=id)
            page = newest_first(
                request, rows, by=("seq",), columns=MESSAGE_COLUMNS, as_object=_message_object
            )
            if not page.data["results"]:
                found(Session.objects.all(), id)  # nothing said yet is not the same as no such session
        return page

    @extend_schema(
        operation_id="messages_create",
        request=NewMessageFields,
        responses={(201, JSON): SaidFields, (201, EVENT_STREAM): FRAME_EVENT},
    )
    def post(self, request: Request, id: uuid.UUID) -> HttpResponseBase:
        """Say something as the visitor, whom the AI answers, or as a member, whom the visitor sees at once.

        With `stream`, the answer comes as the socket's frames (ack, start, delta, message) in server-sent events.
        """
        fields = self.valid(NewMessageFields)
        if fields["role"] == "user":
            return _say_as_visitor(self, id, fields)
        if fields["stream"]:
            raise InvalidInput.of("stream", "only what is said with role user is answered")
        with acting_as(self.principal.tenant):
            agent = _agent(self, fields.get("member"))
            said = reply(id, agent, fields["content"], client_id=fields.get("id"))
            return Response({**_read_message(id, said["id"]), "answer": None}, status=201)


class OneMessage(OneRow):
    """One message."""

    area = "conversations"

    @extend_schema(operation_id="messages_read", responses=MessageFields)
    def get(self, request: Request, id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Read a message."""
        return Response(_read_message(id, message_id))


def _say_as_visitor(view: TenantView, session_id: uuid.UUID, fields: dict[str, Any]) -> HttpResponseBase:
    if "member" in fields:
        raise InvalidInput.of("member", "belongs to what is said with role assistant")
    tenant, client_id = view.principal.tenant, fields.get("id")
    with acting_as(tenant):
        asked = say_as_visitor(session_id, fields["content"], client_id)
        widget_id = Session.objects.values_list("widget_id", flat=True).get(pk=session_id)
        earlier = answer_to(session_id, asked.seq) if asked.message is None else None
    if fields["stream"]:
        events = async_to_sync(answer_frames)(
            tenant, widget_id, asked, client_id or asked.message_id, earlier
        )
        response = StreamingHttpResponse(events, status=201, content_type=EVENT_STREAM)
        response["Cache-Control"] = "no-cache"
        response["X-Accel-Buffering"] = "no"
        return response
    async_to_sync(hear_answer)(tenant, widget_id, asked)
    with acting_as(tenant):
        answer = answer_to(session_id, asked.seq)
        return Response({**_read_message(session_id, asked.message_id), "answer": answer}, status=201)


def _agent(view: TenantView, member: uuid.UUID | None) -> User:
    """The member who acts: the one named, else the person who is signed in."""
    if member is not None:
        return colleague(member)
    if view.principal.user is None:
        raise InvalidInput.of("member", "a program names the member who acts")
    return view.principal.user


def _read_message(session_id: uuid.UUID, message_id: uuid.UUID | str) -> Any:
    row = Message.objects.filter(session_id=session_id, pk=message_id).values(*MESSAGE_COLUMNS).first()
    if row is None:
        raise NotFound(f"There is no message {message_id} in session {session_id}.")
    return _message_object(row)


def _message_object(row: dict[str, Any]) -> Any:
    return as_message_object(row, for_visitor=False)


urlpatterns = [
    *routes("sessions/", Sessions),
    *routes("sessions/<uuid:id>/", OneSession),
    *routes("sessions/<uuid:id>/takeover", SessionTakeover),
    *routes("sessions/<uuid:id>/assign", SessionAssignment),
    *routes("sessions/<uuid:id>/release", SessionRelease),
    *routes("sessions/<uuid:id>/end", SessionEnd),
    *routes("sessions/<uuid:id>/messages/", Messages),
    *routes("sessions/<uuid:id>/messages/<uuid:message_id>/", OneMessage),
]
