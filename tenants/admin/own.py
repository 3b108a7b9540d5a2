"""The pages of one's own account, for everybody who is signed in."""

from typing import Any

from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods

from tenants.administration import person, plural, safely
from tenants.ending_sessions import end_session, end_sessions, handle_of, sessions_of


@require_http_methods(["GET", "POST"])
def own_sessions(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Where one is signed in. By POST: end the session of this `handle`, or all others."""
    user, this = person(request), request.session.session_key
    if request.method == "GET":
        told = {"title": "Your sessions", "sessions": sessions_of(user, this=this)}
        return TemplateResponse(request, "admin/own/sessions.html", {**context, **told})
    handle = request.POST.get("handle", "")
    if this and handle == handle_of(this):
        logout(request)
        return HttpResponseRedirect(reverse("admin:login"))
    if handle:
        safely(request, lambda: end_session(user, handle), "That session is ended.")
    else:
        ended = end_sessions(user, but=this)
        messages.success(request, f"{plural(ended, 'other session')} ended.")
    return HttpResponseRedirect(reverse("admin:own_sessions"))
