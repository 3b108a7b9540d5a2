"""The second step of signing in, and the page where one sets it up.

Between the steps the session knows who gave the right password and nothing more: nobody is signed in by it.
"""

import time
from typing import Any, Final

import segno
from django import forms
from django.contrib import messages
from django.contrib.auth import login
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from tenants import second_factor
from tenants.administration import person, safely, tried
from tenants.context import current_tenant
from tenants.locking_out import LockedOut
from tenants.models import User

PENDING: Final = "_second_step"
PENDING_S: Final = 600
BACKEND: Final = "tenants.authentication.EmailBackend"


class SecondStepNeeded(Exception):
    """The password was right, and a code is wanted before anybody is signed in."""


class CodeForm(forms.Form):
    """A code."""

    code = forms.CharField(
        max_length=40,
        widget=UnfoldAdminTextInputWidget(
            attrs={"autocomplete": "one-time-code", "inputmode": "text", "autofocus": ""}
        ),
    )


class PasswordForm(forms.Form):
    """One's password, before something about signing in changes."""

    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget)


def ask_for_code(request: HttpRequest, user: User) -> None:
    """Remember who gave the right password. Always raises SecondStepNeeded."""
    request.session[PENDING] = [str(user.pk), int(time.time()), request.POST.get("next", "")]
    raise SecondStepNeeded


@require_http_methods(["GET", "POST"])
def code_page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Sign in with the code of whoever has just given their password."""
    user_id, began, after = request.session.get(PENDING) or ("", 0, "")
    is_fresh = user_id and current_tenant() is not None and time.time() - began < PENDING_S
    user = User.objects.filter(pk=user_id, is_active=True).first() if is_fresh else None
    if user is None:
        request.session.flush()
        return HttpResponseRedirect(reverse("admin:login"))
    form = CodeForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            is_right = second_factor.check(user, form.cleaned_data["code"])
        except LockedOut as error:
            form.add_error(None, error.detail)
        else:
            if is_right:
                del request.session[PENDING]
                login(request, user, backend=BACKEND)
                ours = url_has_allowed_host_and_scheme(after, {request.get_host()}, request.is_secure())
                return HttpResponseRedirect(after if ours else reverse("admin:index"))
            form.add_error("code", "This code is wrong, or was used before.")
    told = {
        "title": "Your code",
        "form": form,
        "words": "Enter the code that your authenticator app shows, or a recovery code.",
        "button": "Sign in",
    }
    return TemplateResponse(request, "admin/own/by_link.html", {**context, **told})


@require_http_methods(["GET", "POST"])
def own_second_factor(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Set up, confirm, turn off; new recovery codes; and for owners whether everybody needs one."""
    if current_tenant() is None:
        raise PermissionDenied
    user, step = person(request), request.POST.get("step", "")
    form: forms.Form = (CodeForm if step == "confirm" else PasswordForm)(request.POST or None)
    codes: list[str] = []
    if step == "require":
        required = request.POST.get("required") == "1"
        safely(request, lambda: second_factor.require(user, required), "The rule is stored.")
        return HttpResponseRedirect(reverse("admin:own_second_factor"))
    if request.method == "POST" and form.is_valid():
        done = tried(form, lambda: codes.extend(_do(user, step, form.cleaned_data)))
        if done and not codes:
            messages.success(request, "Done.")
            return HttpResponseRedirect(reverse("admin:own_second_factor"))
    return TemplateResponse(
        request, "admin/own/second_factor.html", {**context, **_told(user), "form": form, "codes": codes}
    )


def _do(user: User, step: str, given: dict[str, Any]) -> list[str]:
    """One deed of the page; recovery codes where it made some."""
    match step:
        case "begin":
            second_factor.begin(user, given["password"])
        case "confirm":
            return second_factor.confirm(user, given["code"])
        case "renew":
            second_factor.refuse_wrong_password(user, given["password"])
            return second_factor.renew_recovery_codes(user)
        case "off":
            second_factor.turn_off(user, given["password"])
    return []


def _told(user: User) -> dict[str, Any]:
    address = second_factor.pending_address(user)
    # The picture is drawn from our own address: paths and numbers, nothing that anybody wrote.
    picture = SafeString(segno.make(address).svg_inline(scale=5, light="#fff")) if address else ""
    return {
        "title": "Second factor",
        "is_on": second_factor.is_on(user),
        "is_required": second_factor.is_required(),
        "left": second_factor.recovery_codes_left(user),
        "picture": picture,
        "secret": address.partition("secret=")[2].partition("&")[0] if address else "",
        "password_form": PasswordForm(),
        "code_form": CodeForm(),
    }
