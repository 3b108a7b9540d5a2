"""The page on which the platform's staff choose whom they act for, and the button to leave."""

import uuid
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods, require_POST

from kernel.errors import FrontdeskError, InvalidInput
from tenants import visiting
from tenants.administration import person


@require_http_methods(["GET", "POST"])
def choose(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Search for a company, say why, and act for it."""
    staff = person(request)
    if not staff.is_platform_staff:
        raise PermissionDenied
    asked, problem = request.GET.get("q", ""), ""
    if request.method == "POST":
        try:
            visiting.begin(
                request.session,
                staff,
                _chosen(request.POST.get("tenant", "")),
                reason=request.POST.get("reason", ""),
                writes=request.POST.get("writes") == "1",
            )
            return HttpResponseRedirect(reverse("admin:index"))
        except InvalidInput as error:
            problem = error.errors[0].message
        except FrontdeskError as error:
            problem = error.detail
    told = {
        "title": "Choose a company",
        "asked": asked,
        "found": visiting.search(asked),
        "is_asked": len(asked.strip()) >= visiting.SHORTEST_SEARCH,
        "problem": problem,
        "chosen": request.POST.get("tenant", ""),
        "reason": request.POST.get("reason", ""),
        "minutes": int(visiting.LASTS.total_seconds() // 60),
        "longest": visiting.REASON[1],
    }
    return TemplateResponse(request, "admin/staff/choose.html", {**context, **told})


@require_POST
def leave(request: HttpRequest) -> HttpResponse:
    """Act for nobody again."""
    if not person(request).is_platform_staff:
        raise PermissionDenied
    visiting.leave(request.session, "they left")
    messages.success(request, "You act for nobody now.")
    return HttpResponseRedirect(reverse("admin:choose_tenant"))


def _chosen(text: str) -> uuid.UUID:
    try:
        return uuid.UUID(text)
    except ValueError as error:
        raise FrontdeskError("Choose one of the companies.") from error
