"""The HTTP door of the widget: its script and boot, read by pages of other origins."""

import orjson
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from kernel.errors import FrontdeskError
from tenants.rest.problems import of_error
from widgets import script
from widgets.chat import booting

SCRIPT_SECONDS = 300
JAVASCRIPT = "text/javascript; charset=utf-8"


@require_GET
def loader_script(request: HttpRequest) -> HttpResponse:
    """`/widget/v1.js?w=pk_…`"""
    source = script.loader(request.GET.get("w", ""))
    response = HttpResponse(source, content_type=JAVASCRIPT)
    response["ETag"] = script.etag(source)
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    return _readable_by(response, None)


@require_GET
def panel_script(request: HttpRequest, digest: str) -> HttpResponse:
    """`/widget/v1/panel.<hash>.js`"""
    if digest != script.panel_hash():
        # A page that has been open since before an update asks for a panel that is no more: give it the new one,
        # briefly.
        response = HttpResponse(script.panel(), content_type=JAVASCRIPT)
        response["Cache-Control"] = "no-cache"
        return _readable_by(response, None)
    response = HttpResponse(script.panel(), content_type=JAVASCRIPT)
    response["Cache-Control"] = "public, max-age=31536000, immutable"
    return _readable_by(response, None)


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def boot(request: HttpRequest) -> HttpResponse:
    """`POST /widget/v1/boot`"""
    origin = request.headers.get("Origin")
    if request.method == "OPTIONS":
        response = HttpResponse(status=204)
        response["Access-Control-Allow-Methods"] = "POST"
        response["Access-Control-Allow-Headers"] = "content-type, authorization"
        response["Access-Control-Max-Age"] = "86400"
        return _readable_by(response, origin)
    try:
        answer = booting.boot(booting.parse(request.body), origin)
    except FrontdeskError as refused:
        return _readable_by(of_error(refused), origin)
    response = HttpResponse(orjson.dumps(answer), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return _readable_by(response, origin)


def _readable_by(response: HttpResponse, origin: str | None) -> HttpResponse:
    """Let the page read the answer, refusals too. No cookie is ever involved, so any origin may be told."""
    response["Access-Control-Allow-Origin"] = origin or "*"
    response["Vary"] = "Origin"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


urlpatterns = [
    path("v1.js", loader_script),
    path("v1/panel.<slug:digest>.js", panel_script),
    path("v1/boot", boot),
]
