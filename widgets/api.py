"""The doors of widgets/ and personalities/."""

import uuid

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes
from widgets.editing import create_widget, delete_widget, update_widget
from widgets.models import Personality, PersonalityVersion, Widget
from widgets.personalities import create_personality, delete_personality, update_personality
from widgets.representing import PersonalityFields, PersonalityVersionFields, WidgetFields


class Widgets(TenantView):
    """A tenant's widgets."""

    area = "widgets"
    versioned = True

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


class OneWidget(OneRow):
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
    versioned = True

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
            PersonalityFields(
                create_personality(by=self.principal.user, **self.valid(PersonalityFields))
            ).data,
            status=201,
        )


class OnePersonality(OneRow):
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
        changes = self.valid(PersonalityFields, partial=True)
        changed = update_personality(id, by=self.principal.user, **changes)
        return Response(PersonalityFields(changed).data)

    @extend_schema(operation_id="personalities_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a personality that is not the default."""
        delete_personality(id)
        return Response(status=204)


class PersonalityVersions(TenantView):
    """A personality's past."""

    area = "widgets"

    @extend_schema(
        operation_id="personality_versions_list",
        parameters=PAGE_PARAMETERS,
        request=None,
        responses=page_of(PersonalityVersionFields),
    )
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """List the versions of a personality, newest first. Answers name the version that gave them."""
        personality = found(Personality.objects.all(), id)
        rows = PersonalityVersion.objects.filter(personality=personality)
        return newest_first(
            request, rows, by=("version",), as_object=lambda version: PersonalityVersionFields(version).data
        )


class OnePersonalityVersion(OneRow):
    """One version of a personality."""

    area = "widgets"

    @extend_schema(operation_id="personality_versions_read", responses=PersonalityVersionFields)
    def get(self, request: Request, id: uuid.UUID, version_id: uuid.UUID) -> Response:
        """Read a version of a personality."""
        versions = PersonalityVersion.objects.filter(personality_id=id)
        return Response(PersonalityVersionFields(found(versions, version_id)).data)


urlpatterns = [
    *routes("widgets/", Widgets),
    *routes("widgets/<uuid:id>/", OneWidget),
    *routes("personalities/", Personalities),
    *routes("personalities/<uuid:id>/", OnePersonality),
    *routes("personalities/<uuid:id>/versions/", PersonalityVersions),
    *routes("personalities/<uuid:id>/versions/<uuid:version_id>/", OnePersonalityVersion),
]
