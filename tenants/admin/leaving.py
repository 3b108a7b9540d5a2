"""The page on which an owner closes the account of their company."""

from typing import Any

from django import forms
from django.contrib.auth import logout
from django.contrib.auth.hashers import check_password
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.template.response import TemplateResponse
from django.views.decorators.http import require_http_methods
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldAdminTextInputWidget

from tenants import closing, mailing
from tenants.admin.by_link import over
from tenants.administration import person, tried
from tenants.context import current_tenant, require_tenant
from tenants.models import Tenant

MAY_CLOSE = "tenants.delete_tenant"
WORDS = (
    "Your widgets disappear from your websites, your API keys and everybody's sign-ins stop at once. Nothing is "
    "deleted for 30 days: until then any owner can reopen the account, as it was, by the link that we send them. "
    "After that it may be erased for good."
)


class CloseForm(forms.Form):
    """Proof that it is meant."""

    slug = forms.CharField(label="Your company's slug", widget=UnfoldAdminTextInputWidget, max_length=63)
    password = forms.CharField(label="Your password", widget=UnfoldAdminPasswordWidget, max_length=4_096)


@require_http_methods(["GET", "POST"])
def close_account(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    """Close the account of the owner who asks. Signs everybody out, them too."""
    if current_tenant() is None or not request.user.has_perm(MAY_CLOSE):
        raise PermissionDenied
    owner, form = person(request), CloseForm(request.POST or None)
    slug = Tenant.objects.values_list("slug", flat=True).get(pk=require_tenant().id)
    form.fields["slug"].help_text = f"Type {slug}, so that this does not happen by accident."
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["slug"] != slug:
            form.add_error("slug", f"Type {slug}.")
        elif not check_password(form.cleaned_data["password"], owner.password):
            form.add_error("password", "This is not your password.")
        elif tried(form, closing.close):
            words = "The account is closed. The way back is in your mail; it is good for 30 days."
            if not mailing.sends_mail():
                link = closing.link_of(require_tenant(), owner)
                words = f"The account is closed. No mail is sent here: keep this way back, good for 30 days: {link}"
            logout(request)
            return over(request, context, "Closed", words)
    told = {"title": "Close the account", "form": form, "words": WORDS, "button": "Close the account"}
    return TemplateResponse(request, "admin/own/form.html", {**context, **told})
