"""The doors of people who are not signed in: an invitation, a forgotten password, a new email, signing up. Each is
opened by the link of a letter, but those two where a letter is asked for."""

from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.cache import never_cache

from config.admin_site import site
from config.browser_policy import ADMIN, HEADER
from tenants.admin import by_link, sign_up

Page = Callable[[HttpRequest, dict[str, Any]], HttpResponse]


def _page(page: Page) -> Callable[[HttpRequest], HttpResponse]:
    def show(request: HttpRequest) -> HttpResponse:
        response = page(request, site.each_context(request))
        # They are drawn with the admin's theme, so they need what it needs.
        response[HEADER] = ADMIN.format(ancestors="'none'")
        return response

    return never_cache(show)


ask_to_sign_up = _page(sign_up.sign_up)

urlpatterns = [
    path("join/", _page(by_link.join), name="account_join"),
    # unfold's login page links to this name where it exists.
    path("forgotten/", _page(by_link.forgotten), name="admin_password_reset"),
    path("password/", _page(by_link.password), name="account_password"),
    path("signup/", _page(sign_up.finish), name="account_signup"),
    path("reopen/", _page(by_link.reopen), name="account_reopen"),
    path("email/", _page(by_link.email), name="account_email"),
]
