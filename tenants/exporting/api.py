"""The doors of exports/."""

import asyncio
import uuid
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Final

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from tenants.auditing import doing_as
from tenants.context import acting_as
from tenants.exporting.models import Export, ExportStatus
from tenants.exporting.ordering import delete_export, order_export, take_archive
from tenants.rest.fields import Choice, Id, Integer, StrictSerializer, Text, Time
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.rendering import AnyType
from tenants.rest.views import TenantView, found, routes

# What generated clients know as a file, whatever is in it.
FILE: Final = "application/octet-stream"
PIECE: Final = 1 << 18


class ExportFields(StrictSerializer):
    """An archive of all that you have here."""

    id = Id()
    status = Choice(choices=ExportStatus)
    progress = serializers.FloatField(read_only=True, help_text="0 to 1.")
    requested_by = Text(help_text="Whose order it was, such as user:<id> or key:<id>.")
    rows = Integer(allow_null=True, help_text="Rows of all tables in it.")
    files = Integer(allow_null=True, help_text="Original files in it.")
    size = Integer(allow_null=True, help_text="Bytes.")
    error = Text(help_text="Why it failed; empty where it did not.")
    created_at = Time()
    finished_at = Time(allow_null=True)
    expires_at = Time(allow_null=True, help_text="When the archive is deleted.")


class Exports(TenantView):
    """Archives of everything: only who may read or write everything may have one."""

    area = ""

    @extend_schema(
        operation_id="exports_list", parameters=PAGE_PARAMETERS, request=None, responses=page_of(ExportFields)
    )
    def get(self, request: Request) -> Response:
        """List exports, newest first."""
        return newest_first(request, Export.objects.all(), as_object=as_object)

    @extend_schema(operation_id="exports_create", request=None, responses={202: ExportFields})
    def post(self, request: Request) -> Response:
        """Have everything written to an archive; read the export again to see how far it is. One at a time."""
        export = order_export(self.principal.called)
        return Response(as_object(export), status=202)


class OneExport(TenantView):
    """One archive."""

    area = ""

    @extend_schema(operation_id="exports_read", responses=ExportFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read how far an export is."""
        return Response(as_object(found(Export.objects.all(), id)))

    @extend_schema(operation_id="exports_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete an export with its archive; by itself that happens after a week."""
        delete_export(id)
        return Response(status=204)


class ExportFile(TenantView):
    """The archive itself."""

    area = ""
    # The entry of who took it is written though it is a GET.
    atomic = False
    renderer_classes = (AnyType,)

    @extend_schema(operation_id="exports_file", responses={(200, FILE): OpenApiTypes.BINARY})
    def get(self, request: Request, id: uuid.UUID) -> StreamingHttpResponse:
        """Download the archive: JSON Lines per table, the original files, a manifest with counts and SHA-256."""
        with doing_as(self.actor(request)), acting_as(self.principal.tenant):
            path = take_archive(id)
        return download(path)


def download(path: Path) -> StreamingHttpResponse:
    """The archive as a response that holds a piece of it at a time."""
    return StreamingHttpResponse(
        _pieces(path),
        content_type=FILE,
        headers={
            "Content-Length": str(path.stat().st_size),
            "Content-Disposition": f'attachment; filename="frontdesk-{path.stem[-12:]}.zip"',
            "Cache-Control": "no-store",
            "X-Content-Type-Options": "nosniff",
        },
    )


async def _pieces(path: Path) -> AsyncIterator[bytes]:
    file = await asyncio.to_thread(path.open, "rb")
    try:
        while piece := await asyncio.to_thread(file.read, PIECE):
            yield piece
    finally:
        file.close()


def as_object(export: Export) -> dict[str, Any]:
    """An export as the API shows it."""
    return dict(ExportFields(export).data)


urlpatterns = [
    *routes("exports/", Exports),
    *routes("exports/<uuid:id>/", OneExport),
    *routes("exports/<uuid:id>/file/", ExportFile),
]
