"""Pages that the link of a letter opens, and the one where a letter is asked for. Nobody is signed in on them.

Opening a link changes nothing, because mail scanners open links too: its button does.
"""

from typing import Any

from django import forms
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.urls import reverse
from django.views.decorators.http import require_http_methods
from unfold.widgets import (
    UnfoldAdminEmailInputWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextInputWidget,
)

from kernel.errors import FrontdeskError
from tenants import changing_email, closing, inviting, mailing, resetting_password
from tenants.administration import tried

PAGE = "admin/own/by_link.html"


class PasswordForm(forms.Form):
    """A new password, twice."""

    password = forms.CharField(
        widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"}),
        help_text="At least 12 characters.",
        max_length=4_096,
    )
    again = forms.CharField(
        label="The same again", widget=UnfoldAdminPasswordWidget(attrs={"autocomplete": "new-password"})
    )

    def clean_again(self) -> str:
        again: str = self.cleaned_data["again"]
        if again != self.cleaned_data.get("password", again):
            raise forms.ValidationError("The two passwords differ.")
        return again


class JoinForm(PasswordForm):
    """Who joins."""

    name = forms.CharField(label="Your name", max_length=120, widget=UnfoldAdminTextInputWidget)
    field_order = ("name", "password", "again")


class ForgottenForm(forms.Form):
    """Whose password was forgotten."""

    email = forms.EmailField(max_length=254, widget=UnfoldAdminEmailInputWidget)


@require_http_methods(["GET", "POST"])
def join(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Accept an invitation with a name and a password."""
    token = request.GET.get("token", "")
    try:
        _, invitation, company = inviting.opened(token)
    except FrontdeskError as error:
        return over(request, context, "Invitation", error.detail)
    form = JoinForm(request.POST or None, initial={"name": invitation.name})
    if request.method == "POST" and form.is_valid():
        name, chosen = form.cleaned_data["name"], form.cleaned_data["password"]
        if tried(form, lambda: inviting.accept(token, name=name, password=chosen)):
            logout(request)
            return over(
                request,
                context,
                "Welcome",
                f"You are on the team of {company}. Sign in as {invitation.email}.",
            )
    return ask(request, context, f"Join {company}", form, f"You sign in as {invitation.email}.", "Join")


@require_http_methods(["GET", "POST"])
def forgotten(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Ask for a link by which a password is set."""
    form = ForgottenForm(request.POST or None)
    words = "We send a link to your email. It is good for an hour."
    if not mailing.sends_mail():
        words = "This installation sends no mail. Ask an owner of your company to remove you and invite you again."
        return over(request, context, "Forgotten password", words)
    if request.method == "POST" and form.is_valid():
        resetting_password.ask(form.cleaned_data["email"], request.META.get("REMOTE_ADDR", ""))
        return over(
            request, context, "Look into your mail", "If this email has an account, a link is on its way."
        )
    return ask(request, context, "Forgotten password", form, words, "Send the link")


@require_http_methods(["GET", "POST"])
def password(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Set a password by the link of a letter."""
    token = request.GET.get("token", "")
    try:
        resetting_password.refuse_dead_link(token)
    except FrontdeskError as error:
        return over(request, context, "New password", error.detail)
    form = PasswordForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        chosen = form.cleaned_data["password"]
        if tried(form, lambda: resetting_password.set_password(token, chosen)):
            return over(request, context, "New password", "It is set. You are signed out everywhere.")
    return ask(
        request, context, "New password", form, "You will be signed out everywhere.", "Set the password"
    )


@require_http_methods(["GET", "POST"])
def email(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Confirm a new email by the link that was sent there."""
    token = request.GET.get("token", "")
    try:
        new = changing_email.opened(token)
        if request.method == "POST":
            changing_email.confirm(token)
            return over(request, context, "New email", f"Sign in as {new} from now on.")
    except FrontdeskError as error:
        return over(request, context, "New email", error.detail)
    return ask(
        request, context, "New email", forms.Form(), f"Sign in as {new} from now on?", "Confirm this email"
    )


@require_http_methods(["GET", "POST"])
def reopen(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Reopen a closed account by the link of its owner's letter."""
    token = request.GET.get("token", "")
    try:
        company = closing.refuse_dead_link(token).name
        if request.method == "POST":
            closing.reopen(token)
            return over(request, context, "Welcome back", f"The account of {company} is open, as it was.")
    except FrontdeskError as error:
        return over(request, context, "Closed account", error.detail)
    words = f"The account of {company} is closed. Reopen it, as it was?"
    return ask(request, context, "Closed account", forms.Form(), words, "Reopen the account")


def ask(
    request: HttpRequest, context: dict[str, Any], title: str, form: forms.Form, words: str, button: str
) -> HttpResponse:
    """A page with one form."""
    told = {"title": title, "form": form, "words": words, "button": button}
    return TemplateResponse(request, PAGE, {**context, **told})


def over(request: HttpRequest, context: dict[str, Any], title: str, words: str) -> HttpResponse:
    """A page that asks nothing more."""
    told = {"title": title, "words": words, "sign_in": reverse("admin:login")}
    return TemplateResponse(request, PAGE, {**context, **told})
