"""The second step of signing in: a code or a security key, after the password.

Between the steps the session knows who gave the right password and nothing more: nobody is signed in by it.
"""

from typing import Any, Final

from django import forms
from django.contrib.auth import login
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminTextInputWidget

from kernel.errors import InvalidInput
from tenants import second_factor, security_keys
from tenants.admin import challenges
from tenants.administration import tried
from tenants.models import User

PENDING: Final = "_second_step"
BACKEND: Final = "tenants.authentication.EmailBackend"
WRONG: Final = "This code is wrong, or was used before."


class SecondStepNeeded(Exception):
    """The password was right, and a code or key is wanted before anybody is signed in."""


class CodeForm(forms.Form):
    """A code."""

    code = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": ""}
        ),
    )


class AnswerForm(forms.Form):
    """What a security key answered, as its browser has it."""

    answer = forms.CharField(
        max_length=security_keys.MAX_ANSWER, label="The security key", widget=forms.HiddenInput
    )


def ask_for_code(request: HttpRequest, user: User) -> None:
    """Remember who gave the right password. Always raises SecondStepNeeded."""
    challenges.note(request, PENDING, user=str(user.pk), after=request.POST.get("next", ""))
    raise SecondStepNeeded


@require_http_methods(["GET", "POST"])
def code_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Sign in with the code or key of whoever has just given their password."""
    pending = challenges.noted(request, PENDING)
    user = User.objects.filter(pk=pending["user"], is_active=True).first() if pending else None
    if pending is None or user is None:
        if request.user.is_authenticated:
            # Nothing is pending: a link from elsewhere must not sign anybody out.
            return HttpResponseRedirect(reverse("admin:index"))
        request.session.flush()
        return HttpResponseRedirect(reverse("admin:login"))
    with_key = "answer" in request.POST
    form = (AnswerForm if with_key else CodeForm)(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        if tried(form, lambda: _check_key(request, user, given) if with_key else _check_code(user, given)):
            del request.session[PENDING]
            login(request, user, backend=BACKEND)
            ours = url_has_allowed_host_and_scheme(
                pending["after"], {request.get_host()}, request.is_secure()
            )
            return HttpResponseRedirect(pending["after"] if ours else reverse("admin:index"))
    place = challenges.place(request)
    asked = security_keys.ask_to_sign_in(user, place) if place else None
    told = {
        "title": "Second step",
        "form": form,
        "code_form": CodeForm() if with_key else form,
        "key_options": challenges.keep(request, asked) if asked else "",
        "has_app": second_factor.has_app(user),
    }
    return TemplateResponse(request, "admin/own/second_step.html", {**context, **told})


def _check_code(user: User, given: dict[str, Any]) -> None:
    if not second_factor.check(user, given["code"]):
        raise InvalidInput.of("code", WRONG)


def _check_key(request: HttpRequest, user: User, given: dict[str, Any]) -> None:
    challenge, place = challenges.taken(request)
    security_keys.check(user, given["answer"], challenge=challenge, place=place)
