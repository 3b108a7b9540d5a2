"""The page of one's own second factor: an authenticator app, security keys, recovery codes."""

from typing import Any, Final

import segno
from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils.safestring import SafeString
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

from kernel.errors import FrontdeskError, InvalidInput
from tenants import second_factor, security_keys
from tenants.admin import challenges
from tenants.admin.second_step import AnswerForm, CodeForm
from tenants.administration import person, safely, tried
from tenants.context import current_tenant
from tenants.models import User

ADDING: Final = "_adding_key"
ANOTHER: Final = "_another_app"


class PasswordForm(forms.Form):
    """One's password, before something about signing in changes."""

    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget)


class NewKeyForm(PasswordForm):
    """What a key will be called."""

    name = forms.CharField(
        label="What it is called",
        max_length=security_keys.MAX_NAME,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Blue key on my ring"}),
    )


class RemoveKeyForm(PasswordForm):
    """Which key goes."""

    key = forms.UUIDField(label="Key", widget=UnfoldAdminSelectWidget)


FORMS: Final[dict[str, type[forms.Form]]] = {
    "confirm": CodeForm,
    "name_key": NewKeyForm,
    "add_key": AnswerForm,
    "remove_key": RemoveKeyForm,
}


@require_http_methods(["GET", "POST"])
def own_second_factor(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Set up, confirm, turn off; add and remove keys; new recovery codes; and for owners whether everybody needs
    one."""
    user, step, acting = person(request), request.POST.get("step", ""), current_tenant()
    if user.tenant_id != (acting.id if acting else None):
        # The platform's people have their own account where they act for no tenant.
        raise PermissionDenied
    form = FORMS.get(step, PasswordForm)(request.POST or None)
    codes: list[str] = []
    if step == "require":
        required = request.POST.get("required") == "1"
        safely(request, lambda: second_factor.require(user, required), "The rule is stored.")
        return HttpResponseRedirect(reverse("admin:own_second_factor"))
    if step == "leave":
        for slot in (ADDING, ANOTHER):
            request.session.pop(slot, None)
        return HttpResponseRedirect(reverse("admin:own_second_factor"))
    if request.method == "POST" and form.is_valid():
        done = tried(form, lambda: codes.extend(_do(request, user, step, form.cleaned_data)))
        if done and not codes:
            if step not in ("begin", "another", "name_key"):
                messages.success(request, "Done.")
            return HttpResponseRedirect(reverse("admin:own_second_factor"))
    told = {**_told(request, user), **_told_of_keys(request, user), "form": form, "codes": codes}
    return TemplateResponse(request, "admin/own/second_factor.html", {**context, **told})


def _do(request: HttpRequest, user: User, step: str, given: dict[str, Any]) -> list[str]:
    """One deed of the page; recovery codes where it made some."""
    match step:
        case "begin":
            second_factor.begin(user, given["password"])
            request.session.pop(ANOTHER, None)
        case "another":
            secret = second_factor.another(user, given["password"])
            challenges.note(request, ANOTHER, secret=secret.decode())
        case "confirm":
            another = challenges.noted(request, ANOTHER)
            if another is None:
                return second_factor.confirm(user, given["code"])
            second_factor.swap(user, another["secret"].encode(), given["code"])
            del request.session[ANOTHER]
        case "renew":
            second_factor.refuse_wrong_password(user, given["password"])
            if second_factor.is_on(user):
                return second_factor.renew_recovery_codes(user)
        case "off":
            second_factor.turn_off(user, given["password"])
        case "name_key":
            second_factor.refuse_wrong_password(user, given["password"])
            challenges.note(request, ADDING, name=given["name"])
        case "add_key":
            return _add_key(request, user, given["answer"])
        case "remove_key":
            security_keys.remove(user, given["key"], given["password"])
    return []


def _add_key(request: HttpRequest, user: User, answer: str) -> list[str]:
    adding = challenges.noted(request, ADDING)
    challenge, place = challenges.taken(request)
    if adding is None:
        raise InvalidInput.of("answer", "came too late. Begin again.")
    codes = security_keys.add(user, adding["name"], answer, challenge=challenge, place=place)
    del request.session[ADDING]
    return codes


def _told(request: HttpRequest, user: User) -> dict[str, Any]:
    another = challenges.noted(request, ANOTHER)
    if another is None:
        address = second_factor.pending_address(user)
    else:
        address = second_factor.address_of(user, another["secret"].encode())
    # The picture is drawn from our own address: paths and numbers, nothing that anybody wrote.
    picture = SafeString(segno.make(address).svg_inline(scale=5, light="#fff")) if address else ""
    return {
        "title": "Second factor",
        "is_on": second_factor.is_on(user),
        "has_app": second_factor.has_app(user),
        "is_required": second_factor.is_required(),
        "left": second_factor.recovery_codes_left(user),
        "picture": picture,
        "secret": address.partition("secret=")[2].partition("&")[0] if address else "",
        "password_form": PasswordForm(),
        "code_form": CodeForm(),
    }


def _told_of_keys(request: HttpRequest, user: User) -> dict[str, Any]:
    place, adding = challenges.place(request), challenges.noted(request, ADDING)
    options, problem = "", ""
    if place and adding:
        try:
            options = challenges.keep(request, security_keys.ask_to_add(user, place))
        except FrontdeskError as error:
            problem = error.detail
    keys = security_keys.keys_of(user)
    return {
        "keys": keys,
        "key_host": place.rp_id if place else "",
        "key_options": options,
        "key_name": adding["name"] if options and adding else "",
        "key_problem": problem,
        "new_key_form": NewKeyForm(),
    }
