"""The pages of one's own account, for everybody who is signed in."""

from typing import Any

from django import forms
from django.contrib import messages
from django.contrib.auth import logout
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminPasswordWidget

from tenants import changing_email, mailing
from tenants.administration import person, plural, safely, tried
from tenants.context import current_tenant
from tenants.ending_sessions import end_session, end_sessions, handle_of, sessions_of


class EmailForm(forms.Form):
    """Where to sign in from, proved by one's password."""

    email = forms.EmailField(label="New email", max_length=254, widget=UnfoldAdminEmailInputWidget)
    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget)


@require_http_methods(["GET", "POST"])
def own_email(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Ask for another email; it is changed once its link is opened. For people of a tenant."""
    if current_tenant() is None:
        raise PermissionDenied
    user, form = person(request), EmailForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        new = form.cleaned_data["email"]
        if tried(form, lambda: changing_email.ask(user, new, form.cleaned_data["password"])):
            messages.success(request, f"Open the link that we sent to {new}. Until then nothing changes.")
            return HttpResponseRedirect(reverse("admin:own_email"))
    words = (
        f"You sign in as {user.email}. We write to the new address; it is yours once you open the link there."
    )
    if not mailing.sends_mail():
        words = "This installation sends no mail (EMAIL_URL), so an email cannot be changed here."
    told = {"title": "Change email", "form": form, "words": words, "button": "Send the link"}
    return TemplateResponse(request, "admin/own/form.html", {**context, **told})


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
