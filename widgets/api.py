"""The doors of widgets/, personalities/ and sessions/ with their messages/."""

import uuid
from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput, NotFound
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import TenantView, found, routes
from widgets.chat.messages import FIELDS as MESSAGE_COLUMNS
from widgets.chat.messages import as_message_object
from widgets.editing import create_widget, delete_widget, update_widget
from widgets.models import Message, Personality, Session, SessionStatus, Widget
from widgets.personalities import create_personality, delete_personality, update_personality
from widgets.representing import MessageFields, PersonalityFields, SessionFields, WidgetFields

SESSION_COLUMNS: Final = (
    "id", "widget_id", "visitor_id", "meeting_id", "assignee_id", "mode", "status", "cost_usd", "tool_count",
    "last_seq", "last_message_at", "metadata", "outcome", "rating", "tags", "created_at", "updated_at", "ended_at",
)  # fmt: skip
SESSION_FILTERS: Final = [
    OpenApiParameter("widget", uuid.UUID, description="Only sessions of this widget."),
    OpenApiParameter("status", str, enum=SessionStatus.values, description="Only sessions in this state."),
]


class Widgets(TenantView):
    """A tenant's widgets."""

    area = "widgets"

    @extend_schema(
        operation_id="widgets_list", parameters=PAGE_PARAMETERS, request=None, responses=page_of(WidgetFields)
    )
    def get(self, request: Request) -> Response:
        """List widgets, newest first."""
        return newest_first(request, Widget.objects.all(), as_object=lambda widget: WidgetFields(widget).data)

    @extend_schema(operation_id="widgets_create", request=WidgetFields, responses={201: WidgetFields})
    def post(self, request: Request) -> Response:
        """Make a widget; its public key is made with it."""
        return Response(WidgetFields(create_widget(**self.valid(WidgetFields))).data, status=201)


class OneWidget(TenantView):
    """One widget."""

    area = "widgets"

    @extend_schema(operation_id="widgets_read", responses=WidgetFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a widget."""
        return Response(WidgetFields(found(Widget.objects.all(), id)).data)

    @extend_schema(operation_id="widgets_update", request=WidgetFields, responses=WidgetFields)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a widget. Settings are merged key by key; a null takes a key back to its default."""
        return Response(WidgetFields(update_widget(id, **self.valid(WidgetFields, partial=True))).data)

    @extend_schema(operation_id="widgets_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a widget that has no conversations; deactivate one that has."""
        delete_widget(id)
        return Response(status=204)


class Personalities(TenantView):
    """A tenant's personalities."""

    area = "widgets"

    @extend_schema(
        operation_id="personalities_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(PersonalityFields),
    )
    def get(self, request: Request) -> Response:
        """List personalities, newest first."""
        return newest_first(
            request,
            Personality.objects.all(),
            as_object=lambda personality: PersonalityFields(personality).data,
        )

    @extend_schema(
        operation_id="personalities_create", request=PersonalityFields, responses={201: PersonalityFields}
    )
    def post(self, request: Request) -> Response:
        """Make a personality. The first one becomes the default."""
        return Response(
            PersonalityFields(create_personality(**self.valid(PersonalityFields))).data, status=201
        )


class OnePersonality(TenantView):
    """One personality."""

    area = "widgets"

    @extend_schema(operation_id="personalities_read", responses=PersonalityFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a personality."""
        return Response(PersonalityFields(found(Personality.objects.all(), id)).data)

    @extend_schema(
        operation_id="personalities_update", request=PersonalityFields, responses=PersonalityFields
    )
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a personality: its next version. Making it the default takes that from the other one."""
        changed = update_personality(id, **self.valid(PersonalityFields, partial=True))
        return Response(PersonalityFields(changed).data)

    @extend_schema(operation_id="personalities_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a personality that is not the default."""
        delete_personality(id)
        return Response(status=204)


class Sessions(TenantView):
    """A tenant's conversations."""

    area = "conversations"

    @extend_schema(
        operation_id="sessions_list",
        parameters=[*PAGE_PARAMETERS, *SESSION_FILTERS],
        request=None,
        responses=page_of(SessionFields),
    )
    def get(self, request: Request) -> Response:
        """List conversations, newest first."""
        rows = Session.objects.filter(**_session_filters(request))
        return newest_first(
            request, rows, by=("created_at", "id"), columns=SESSION_COLUMNS, as_object=_session_object
        )


class OneSession(TenantView):
    """One conversation."""

    area = "conversations"

    @extend_schema(operation_id="sessions_read", responses=SessionFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a conversation."""
        row = Session.objects.filter(pk=id).values(*SESSION_COLUMNS).first()
        if row is None:
            raise NotFound(f"There is no session {id}.")
        return Response(_session_object(row))


class Messages(TenantView):
    """The messages of one conversation."""

    area = "conversations"

    @extend_schema(
        operation_id="messages_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(MessageFields),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """List the messages of a conversation, newest first."""
        rows = Message.objects.filter(session_id=id)
        page = newest_first(request, rows, by=("seq",), columns=MESSAGE_COLUMNS, as_object=_message_object)
        if not page.data["results"]:
            found(Session.objects.all(), id)  # nothing said yet is not the same as no such session
        return page


class OneMessage(TenantView):
    """One message."""

    area = "conversations"

    @extend_schema(operation_id="messages_read", responses=MessageFields)
    def get(self, request: Request, id: uuid.UUID, message_id: uuid.UUID) -> Response:
        """Read a message."""
        row = Message.objects.filter(session_id=id, pk=message_id).values(*MESSAGE_COLUMNS).first()
        if row is None:
            raise NotFound(f"There is no message {message_id} in session {id}.")
        return Response(_message_object(row))


def _session_filters(request: Request) -> dict[str, Any]:
    filters: dict[str, Any] = {}
    widget, status = request.query_params.get("widget"), request.query_params.get("status")
    if widget is not None:
        try:
            filters["widget_id"] = uuid.UUID(widget)
        except ValueError as error:
            raise InvalidInput.of("widget", "must be the id of a widget") from error
    if status is not None:
        if status not in SessionStatus.values:
            raise InvalidInput.of("status", f"must be one of {', '.join(SessionStatus.values)}")
        filters["status"] = status
    return filters


def _session_object(row: dict[str, Any]) -> dict[str, Any]:
    """A row of SESSION_COLUMNS as the API names it: keys to other things without `_id`, as in the message object."""
    return {key.removesuffix("_id"): value for key, value in row.items()}


def _message_object(row: dict[str, Any]) -> Any:
    return as_message_object(row, for_visitor=False)


urlpatterns = [
    *routes("widgets/", Widgets),
    *routes("widgets/<uuid:id>/", OneWidget),
    *routes("personalities/", Personalities),
    *routes("personalities/<uuid:id>/", OnePersonality),
    *routes("sessions/", Sessions),
    *routes("sessions/<uuid:id>/", OneSession),
    *routes("sessions/<uuid:id>/messages/", Messages),
    *routes("sessions/<uuid:id>/messages/<uuid:message_id>/", OneMessage),
]
