"""The doors of documents/ and search/."""

import uuid
from typing import Final

from django.http import FileResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer, extend_schema
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from kernel.errors import InvalidInput, NotFound
from knowledge.documents import Saved, change_document, delete_document, save_document
from knowledge.events import COLUMNS
from knowledge.files.recognising import MAX_FILE
from knowledge.files.storing import open_file
from knowledge.models import Document, DocumentStatus
from knowledge.representing import (
    DocumentFields,
    DocumentRow,
    OutcomeFields,
    PageFields,
    QuestionFields,
    UploadFields,
    as_outcome,
)
from knowledge.search import search
from knowledge.uploading import add_page, upload
from tenants.rest.pagination import PAGE_PARAMETERS, newest_first, page_of
from tenants.rest.rendering import JSON, AnyType, OrjsonParser
from tenants.rest.views import OneRow, TenantView, found, routes

FILTERS: Final = [
    OpenApiParameter("status", str, enum=DocumentStatus.values, description="Only documents in this state."),
    OpenApiParameter("category", str, description="Only documents of this category."),
    OpenApiParameter("collection", str, description="Only documents of this collection."),
    OpenApiParameter("external_id", str, description="Only the document with this external_id."),
]
TEXT_OR_PAGE: Final = PolymorphicProxySerializer(
    component_name="NewDocument", serializers=[DocumentFields, PageFields], resource_type_field_name=None
)
ANSWERS: Final = {200: DocumentFields, 202: DocumentFields}


class Documents(TenantView):
    """A tenant's documents."""

    area = "knowledge"
    parser_classes = (OrjsonParser, MultiPartParser)

    @extend_schema(
        operation_id="documents_list",
        parameters=[*PAGE_PARAMETERS, *FILTERS],
        request=None,
        responses=page_of(DocumentRow),
    )
    def get(self, request: Request) -> Response:
        """List documents without their text, newest first."""
        rows = Document.objects.present()
        for name in ("status", "category", "collection", "external_id"):
            wanted = request.query_params.get(name)
            if name == "status" and wanted is not None and wanted not in DocumentStatus.values:
                raise InvalidInput.of(name, f"must be one of {', '.join(DocumentStatus.values)}")
            if wanted is not None:
                rows = rows.filter(**{name: wanted.replace("\0", "")})
        return newest_first(request, rows.values(*COLUMNS))

    @extend_schema(
        operation_id="documents_create",
        request={JSON: TEXT_OR_PAGE, MultiPartParser.media_type: UploadFields},
        responses=ANSWERS,
    )
    def post(self, request: Request) -> Response:
        """Add a document, or update the one with this external_id. 202: to be processed; 200: nothing new.

        A form takes a file, and JSON with a `url` a web page. A worker reads the file or fetches the page: what is
        wrong with it is then the document's `error`.
        """
        if (request.content_type or "").startswith(MultiPartParser.media_type):
            fields = self.valid(UploadFields)
            file = fields.pop("file")
            return _accepted(upload(file.name, file.read(MAX_FILE + 1), **fields))
        if isinstance(request.data, dict) and "url" in request.data:
            return _accepted(add_page(**self.valid(PageFields)))
        return _answer(save_document(**self.valid(DocumentFields)))


class OneDocument(OneRow):
    """One document."""

    area = "knowledge"

    @extend_schema(operation_id="documents_read", responses=DocumentFields)
    def get(self, request: Request, id: uuid.UUID) -> Response:
        """Read a document with its newest text."""
        return Response(DocumentFields(found(Document.objects.present(), id)).data)

    @extend_schema(operation_id="documents_update", request=DocumentFields, responses=ANSWERS)
    def patch(self, request: Request, id: uuid.UUID) -> Response:
        """Change a document. A new title or content makes a new version; search finds the old one until it is ready."""
        return _answer(change_document(id, **self.valid(DocumentFields, partial=True)))

    @extend_schema(operation_id="documents_delete", responses={204: None})
    def delete(self, request: Request, id: uuid.UUID) -> Response:
        """Delete a document. Search finds it no more from now on; sending its external_id again brings it back."""
        delete_document(id)
        return Response(status=204)


class DocumentFile(TenantView):
    """The file that a document came from."""

    area = "knowledge"
    renderer_classes = (AnyType,)

    @extend_schema(
        operation_id="documents_file",
        responses={(200, "application/octet-stream"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, id: uuid.UUID) -> FileResponse:
        """Download the file that a document's newest text came from, byte for byte."""
        newest = found(Document.objects.present(), id).newest
        if newest.file is None:
            raise NotFound(f"The document {id} came without a file.")
        return FileResponse(
            open_file(newest.file),
            as_attachment=True,
            filename=newest.file_name,
            content_type="application/octet-stream",
            # It is somebody's file on our address: a browser must never run anything in it.
            headers={
                "Content-Security-Policy": "sandbox; default-src 'none'",
                "X-Content-Type-Options": "nosniff",
            },
        )


class Search(TenantView):
    """Search."""

    area = "knowledge"
    atomic = False
    read_methods = frozenset({"POST"})
    problems = (503,)

    @extend_schema(operation_id="search", request=QuestionFields, responses=OutcomeFields)
    def post(self, request: Request) -> Response:
        """Find the passages that answer a question, and how sure we are that they do."""
        fields = self.valid(QuestionFields)
        question = fields.pop("query")
        return Response(as_outcome(search(self.principal.tenant, question, **fields)))


def _accepted(document: Document) -> Response:
    return _answer(Saved(document, created=False, queued=document.is_under_way))


def _answer(saved: Saved) -> Response:
    return Response(DocumentFields(saved.document).data, status=202 if saved.queued else 200)


urlpatterns = [
    *routes("documents/", Documents),
    *routes("documents/<uuid:id>/", OneDocument),
    *routes("documents/<uuid:id>/file/", DocumentFile),
    *routes("search/", Search),
]
