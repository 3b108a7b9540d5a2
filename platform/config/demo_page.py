"""The demo page: a plain customer's website with one tenant's widget on it, under a strict Content-Security-Policy."""

from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render

from config.demo import published

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self' {sockets}; style-src 'self'; "
    "img-src 'self' data: https:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


def show(request: HttpRequest, slug: str = "acme") -> HttpResponse:
    """`/demo/` shows Acme's page, `/demo/bolt/` Bolt's; 404 where the demo is not installed."""
    site = published.site(slug)
    if site is None:
        raise Http404("the demo is not installed: start with FRONTDESK_DEMO=1")
    response = render(request, "demo/page.html", {"site": site, "sites": published.sites()})
    # Browsers differ in whether 'self' covers ws:, so it is named.
    sockets = f"{'wss' if request.is_secure() else 'ws'}://{request.get_host()}"
    response["Content-Security-Policy"] = POLICY.format(sockets=sockets)
    return response
