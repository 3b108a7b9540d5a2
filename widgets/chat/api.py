"""The HTTP door of the widget: its script, boot, and chat without a socket, read by pages of other origins."""

from typing import Any, TypeVar

import orjson
from django.conf import settings
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from django.urls import path
from django.utils.cache import get_conditional_response
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from kernel.errors import FrontdeskError
from tenants.rest.problems import exception_handler, of_error
from widgets import script
from widgets.chat import booting, exchanging

Response = TypeVar("Response", bound=HttpResponseBase)

SCRIPT_SECONDS = 300
JAVASCRIPT = "text/javascript; charset=utf-8"


@csrf_exempt
@require_GET
def loader_script(request: HttpRequest) -> HttpResponse:
    """`/widget/v1.js?w=pk_…`"""
    return _script(request, script.loader(request.GET.get("w", "")))


@csrf_exempt
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
@require_GET
def proof_script(request: HttpRequest) -> HttpResponse:
    """`/widget/v1/proof.js`"""
    return _script(request, script.proof())


@csrf_exempt
@require_http_methods(["POST", "OPTIONS"])
def boot(request: HttpRequest) -> HttpResponse:
    """`POST /widget/v1/boot`"""
    origin = request.headers.get("Origin")
    if request.method == "OPTIONS":
        return _preflight(origin, "POST")
    try:
        address = request.META.get("REMOTE_ADDR", "")
        answer = booting.boot(booting.parse(request.body), origin, address)
    except FrontdeskError as refused:
        return _readable_by(of_error(refused), origin)
    response = HttpResponse(orjson.dumps(answer), content_type="application/json")
    response["Cache-Control"] = "no-store"
    return _readable_by(response, origin)


@csrf_exempt
@require_http_methods(["GET", "POST", "OPTIONS"])
async def messages(request: HttpRequest) -> HttpResponseBase:
    """`/widget/v1/messages`"""
    origin = request.headers.get("Origin")
    if request.method == "OPTIONS":
        return _preflight(origin, "GET, POST")
    try:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ").strip()
        guest, start = await exchanging.admit(token, origin or _own_origin(request))
        response: HttpResponseBase
        if request.method == "GET":
            after, address = request.GET.get("after", "0"), request.META.get("REMOTE_ADDR", "")
            poll = await exchanging.poll(guest, start, after, address)
            response = HttpResponse(orjson.dumps(poll), content_type="application/json")
        else:
            events = exchanging.exchange(guest, start, _metadata(request, origin), request.body)
            await anext(events)
            response = StreamingHttpResponse(events, content_type="text/event-stream")
            response["X-Accel-Buffering"] = "no"
    except Exception as error:
        return _readable_by(exception_handler(error), origin)
    response["Cache-Control"] = "no-store"
    return _readable_by(response, origin)


def _script(request: HttpRequest, source: str) -> HttpResponse:
    """A script that may change at its address; 304 for a browser that has it as it is."""
    response = HttpResponse(source, content_type=JAVASCRIPT)
    response["ETag"] = etag = script.etag(source)
    response["Cache-Control"] = f"public, max-age={SCRIPT_SECONDS}"
    known = get_conditional_response(request, etag=etag, response=response)
    return _readable_by(known or response, None)


def _own_origin(request: HttpRequest) -> str | None:
    """A page of ours sends no Origin with a GET; its browser says in another way where it comes from, which a page
    cannot set."""
    return settings.BASE_URL if request.headers.get("Sec-Fetch-Site") == "same-origin" else None


def _metadata(request: HttpRequest, origin: str | None) -> dict[str, Any]:
    return {
        "userAgent": request.headers.get("User-Agent", "")[:300],
        "ip": request.META.get("REMOTE_ADDR", ""),
        "page": origin,
    }


def _preflight(origin: str | None, methods: str) -> HttpResponse:
    response = HttpResponse(status=204)
    response["Access-Control-Allow-Methods"] = methods
    response["Access-Control-Allow-Headers"] = "content-type, authorization"
    response["Access-Control-Max-Age"] = "86400"
    return _readable_by(response, origin)


def _readable_by(response: Response, origin: str | None) -> Response:
    """Let the page read the answer, refusals too. No cookie is ever involved, so any origin may be told."""
    response["Access-Control-Allow-Origin"] = origin or "*"
    response["Access-Control-Expose-Headers"] = "Retry-After, RateLimit, RateLimit-Policy"
    response["Vary"] = "Origin"
    response["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response


urlpatterns = [
    path("v1.js", loader_script),
    path("v1/panel.<slug:digest>.js", panel_script),
    path("v1/proof.js", proof_script),
    path("v1/boot", boot),
    path("v1/messages", messages),
]
