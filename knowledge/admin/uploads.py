"""Uploading files in the admin: one request for each file, then its progress until it is ready or has failed."""

import uuid
from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_GET, require_http_methods

from kernel.errors import FrontdeskError, InvalidInput
from knowledge.admin.states import STATES
from knowledge.documents import MAX_LABEL
from knowledge.files.recognising import MAX_FILE
from knowledge.models import Document
from knowledge.uploading import upload

ENDINGS: Final = (".pdf", ".docx", ".html", ".htm", ".md", ".txt", ".csv")
ASKED_AT_ONCE: Final = 100
PAGE: Final = "admin/knowledge/document/upload.html"


@require_http_methods(["GET", "POST"])
def upload_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """The page to drop files on; by POST one `file` is taken and told of as JSON."""
    if not request.user.has_perm("knowledge.add_document"):
        raise PermissionDenied
    if request.method == "POST":
        return _take(request)
    told = {
        "title": "Upload documents",
        "endings": ",".join(ENDINGS),
        "kinds": "PDF, Word, HTML, Markdown, text and CSV",
        "largest_mb": MAX_FILE // 1024 // 1024,
        "longest_label": MAX_LABEL,
    }
    return TemplateResponse(request, PAGE, {**context, **told})


@require_GET
def progress(request: HttpRequest) -> JsonResponse:
    """`?id=…&id=…`: how far the processing of these documents is. Ids of nobody's, or of another tenant's, are left
    out."""
    if not request.user.has_perm("knowledge.view_document"):
        raise PermissionDenied
    wanted = [known for text in request.GET.getlist("id")[:ASKED_AT_ONCE] if (known := _identifier(text))]
    rows = Document.objects.present().filter(pk__in=wanted).defer("embedding")
    return JsonResponse({"documents": [_told(document) for document in rows]})


def _take(request: HttpRequest) -> JsonResponse:
    file = request.FILES.get("file")
    if file is None or isinstance(file, list):
        return JsonResponse({"problem": "Choose a file."}, status=400)
    try:
        document = upload(
            file.name or "",
            file.read(MAX_FILE + 1),
            category=request.POST.get("category", "").strip(),
            collection=request.POST.get("collection", "").strip(),
        )
    except InvalidInput as error:
        said = "; ".join(wrong.message for wrong in error.errors) or error.detail
        return JsonResponse({"problem": f"{said[:1].upper()}{said[1:].rstrip('.')}."}, status=400)
    except FrontdeskError as error:
        return JsonResponse({"problem": error.detail}, status=400)
    return JsonResponse(_told(document), status=201)


def _told(document: Document) -> dict[str, Any]:
    return {
        "id": str(document.pk),
        "title": document.title,
        "status": document.status,
        "words": STATES[document.status],
        "percent": round(document.progress * 100),
        "problem": document.error,
        "url": reverse("admin:knowledge_document_change", args=[document.pk]),
    }


def _identifier(text: str) -> uuid.UUID | None:
    try:
        return uuid.UUID(text)
    except ValueError:
        return None
