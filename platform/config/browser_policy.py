"""What a browser may do with an answer of ours: the strictest Content-Security-Policy that each place works under.

A view that sets a policy of its own keeps it (the demo page). The widget runs under its website's policy, not ours.
"""

from typing import Final

from django.http.response import HttpResponseBase

from config.on_answers import on_answers

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


def guarded(path: str, response: HttpResponseBase) -> HttpResponseBase:
    """The answer with its policy."""
    if HEADER not in response:
        response[HEADER] = _policy(path, response)
    response.setdefault("Permissions-Policy", PERMISSIONS)
    return response


middleware = on_answers(guarded)


def _policy(path: str, response: HttpResponseBase) -> str:
    if not response.get("Content-Type", "").startswith("text/html"):
        return NOTHING
    if path.startswith("/admin/"):
        # The live preview is a page of the admin inside another: the view says so by its X-Frame-Options.
        framed = response.get("X-Frame-Options", "DENY") == "SAMEORIGIN"
        return ADMIN.format(ancestors="'self'" if framed else "'none'")
    return PAGE
