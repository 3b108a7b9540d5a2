"""The search bench: what would the AI see for this question, and would it answer?"""

from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods

from knowledge.confidence import CALIBRATIONS, DEFAULT
from knowledge.models import Document
from knowledge.search import MAX_QUERY, Hit, search
from tenants.administration.afterwards import afterwards
from tenants.context import TenantRef, current_tenant
from widgets.chat.composing import PASSAGES

SHOWN: Final = 2 * PASSAGES
PAGE: Final = "admin/knowledge/bench.html"
FINDINGS: Final = "admin/knowledge/bench_findings.html"


class Finding(NamedTuple):
    """One passage: its place, whether the AI would be given it, its score in per cent of the best one's."""

    place: int
    is_given: bool
    percent: float
    hit: Hit


@require_http_methods(["GET", "POST"])
def search_bench(request: HttpRequest, context: dict[str, Any]) -> HttpResponseBase:
    """The page, and by POST what was found for its question. For whoever may read the documents."""
    if current_tenant() is None or not request.user.has_perm("knowledge.view_document"):
        raise PermissionDenied
    if request.method == "POST":
        question = request.POST.get("question", "")
        category = request.POST.get("category") or None
        return afterwards(FINDINGS, lambda tenant: _findings(tenant, question, category))
    return _page(request, context)


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    present = Document.objects.present()
    names = present.exclude(category="").order_by("category").values_list("category", flat=True).distinct()
    told = {
        "title": "Search bench",
        "categories": list(names[:100]),
        "has_documents": present.exists(),
        "question": request.GET.get("question", "")[:MAX_QUERY],
        "longest": MAX_QUERY,
        "given": PASSAGES,
    }
    return TemplateResponse(request, PAGE, {**context, **told})


def _findings(tenant: TenantRef, question: str, category: str | None) -> dict[str, Any]:
    outcome = search(tenant, question.replace("\0", ""), limit=SHOWN, category=category)
    calibration = CALIBRATIONS.get(outcome.model, DEFAULT)
    return {
        "findings": list(_placed(outcome.results)),
        "confidence": outcome.confidence * 100,
        "needed": calibration.threshold * 100,
        "is_supported": outcome.supported,
        "given": PASSAGES,
    }


def _placed(hits: Iterable[Hit]) -> Iterable[Finding]:
    best = 0.0
    for place, hit in enumerate(hits, 1):
        best = best or hit.score
        yield Finding(place, place <= PASSAGES, hit.score / best * 100 if best else 0.0, hit)
