"""What a browser may do with an answer of ours: the strictest Content-Security-Policy that each place works under.

A view that sets a policy of its own keeps it (the demo page). The widget runs under its website's policy, not ours.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

HEADER: Final = "Content-Security-Policy"
# JSON, scripts, downloads: should a browser ever take one for a page, nothing in it runs, loads or is framed.
NOTHING: Final = "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox"
PAGE: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
# unfold's Alpine evaluates its attributes ('unsafe-eval'), and charts and unfold set widths by style attributes.
# Pictures of people and pages come from anywhere; no script does.
ADMIN: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: https:; font-src 'self'; connect-src 'self'; frame-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors {ancestors}"
)
PERMISSIONS: Final = "camera=(), geolocation=(), microphone=(), payment=(), usb=()"

Handler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def middleware(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:
    """Django's middleware: a policy on every answer, in both of Django's ways of handling a request."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponseBase:
            return guarded(request.path, await get_response(request))

        return markcoroutinefunction(handle_async)

    def handle(request: HttpRequest) -> HttpResponseBase:
        return guarded(request.path, get_response(request))  # type: ignore[arg-type]  # it is the sync kind

    return handle


middleware.sync_capable = middleware.async_capable = True  # type: ignore[attr-defined]  # what Django asks of it


def guarded(path: str, response: HttpResponseBase) -> HttpResponseBase:
    """The answer with its policy."""
    if HEADER not in response:
        response[HEADER] = _policy(path, response)
    response.setdefault("Permissions-Policy", PERMISSIONS)
    return response


def _policy(path: str, response: HttpResponseBase) -> str:
    if not response.get("Content-Type", "").startswith("text/html"):
        return NOTHING
    if path.startswith("/admin/"):
        # The live preview is a page of the admin inside another: the view says so by its X-Frame-Options.
        framed = response.get("X-Frame-Options", "DENY") == "SAMEORIGIN"
        return ADMIN.format(ancestors="'self'" if framed else "'none'")
    return PAGE
