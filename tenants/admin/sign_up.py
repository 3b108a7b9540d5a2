"""The pages by which a company opens its own account: where it asks, and where the letter's link leads.

Where SIGNUP is off neither is there at all.
"""

from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import logout
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminEmailInputWidget, UnfoldAdminTextInputWidget

from kernel.errors import FrontdeskError
from tenants import signing_up
from tenants.admin.by_link import PasswordForm, ask, over
from tenants.administration import tried


class SignUpForm(forms.Form):
    """Who wants an account."""

    company = forms.CharField(
        max_length=120, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "organization"})
    )
    email = forms.EmailField(
        label="Your email",
        max_length=254,
        widget=UnfoldAdminEmailInputWidget(attrs={"autocomplete": "email"}),
    )


class CompanyForm(PasswordForm):
    """The company and its first person."""

    name = forms.CharField(
        label="Your name",
        max_length=120,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "name"}),
    )
    company = forms.CharField(
        max_length=120, widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "organization"})
    )
    slug = forms.CharField(
        label="Short name",
        max_length=signing_up.MAX_SLUG,
        widget=UnfoldAdminTextInputWidget,
        help_text="a-z, 0-9 and -. It cannot be changed later.",
    )
    website = forms.CharField(
        max_length=300,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "url", "placeholder": "https://acme.com"}),
        help_text="Where your widget will be shown. You can name others later.",
    )
    field_order = ("name", "company", "slug", "website", "password", "again")


@require_http_methods(["GET", "POST"])
def sign_up(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Ask for the link that opens an account. The answer is the same whatever the email."""
    _refuse_where_off()
    form = SignUpForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        given = form.cleaned_data
        signing_up.ask(given["company"], given["email"], request.META.get("REMOTE_ADDR", ""))
        return over(request, context, "Look into your mail", "A letter is on its way to you.")
    words = "We send a link to your email. It is good for a day, and nothing is stored until you use it."
    return ask(request, context, "Open an account", form, words, "Send the link")


@require_http_methods(["GET", "POST"])
def finish(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Make the account by the link of the letter."""
    _refuse_where_off()
    token = request.GET.get("token", "")
    try:
        asked = signing_up.opened(token)
    except FrontdeskError as error:
        return over(request, context, "Open an account", error.detail)
    initial = {"company": asked.company, "slug": signing_up.proposed_slug(asked.company)}
    form = CompanyForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        given = {name: form.cleaned_data[name] for name in form.fields if name != "again"}
        if tried(form, lambda: signing_up.finish(token, **given)):
            logout(request)
            words = f"The account of {given['company']} is open. Sign in as {asked.email}."
            return over(request, context, "Welcome", words)
    return ask(
        request, context, "Open an account", form, f"You sign in as {asked.email}.", "Open the account"
    )


def _refuse_where_off() -> None:
    if not settings.SIGNUP:
        raise Http404
