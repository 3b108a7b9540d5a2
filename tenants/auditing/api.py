"""The door of the record: audit-entries/, which only reads."""

import uuid
from typing import Final

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.auditing.entries import ActorKinds, AuditEntry
from tenants.auditing.representing import AuditEntryFields
from tenants.rest.filtering import equal, moment, narrowed, one_of, parameters
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.views import OneRow, TenantView, found, routes

FILTERS: Final = (
    equal("actor", "Only what this member or API key did, by id.", lookup="actor_id"),
    one_of("actor_kind", ActorKinds, "Only what people (user), keys, platform staff or the system did."),
    equal("action", "Only this action, such as created, changed, deleted or signed_in."),
    equal("target", "Only what was done to the item with this id.", lookup="target_id"),
    equal("target_kind", "Only what was done to items of this kind, such as widget or api_key."),
    moment("start", "at__gte", "Only entries from this time on."),
    moment("end", "at__lt", "Only entries before this time."),
)


class AuditEntries(TenantView):
    """Who changed what."""

    area = "audit"

    @extend_schema(
        operation_id="audit_entries_list",
        parameters=[*PAGE_PARAMETERS, *parameters(FILTERS)],
        request=None,
        responses=page_of(AuditEntryFields),
    )
    def get(self, request: Request) -> Response:
        """List what was done, newest first. Entries are never changed."""
        rows = narrowed(request, AuditEntry.objects.all(), FILTERS)
        return newest_first(request, rows, as_object=lambda entry: AuditEntryFields(entry).data)


class OneAuditEntry(OneRow):
    """One entry."""

    area = "audit"

    @extend_schema(operation_id="audit_entries_read", responses=AuditEntryFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read an entry."""
        return Response(AuditEntryFields(found(AuditEntry.objects.all(), id)).data)


urlpatterns = [
    *routes("audit-entries/", AuditEntries),
    *routes("audit-entries/<uuid:id>/", OneAuditEntry),
]
