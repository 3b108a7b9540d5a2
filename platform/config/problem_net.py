"""What a program is told when something other than a view of ours refuses its request.

Django answers a wrong method, a missing CSRF token or an error of its own with a page or with nothing. On the paths
that programs call, such an answer becomes a problem of the same status; its headers, Allow among them, stay.
"""

from collections.abc import Awaitable, Callable
from typing import Final

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

from tenants.rest import problems

# The widget runs on the customer's page, which must be able to read why.
READ_BY_OTHER_ORIGINS: Final = "/widget"
ITS_OWN: Final = frozenset({"Content-Type", "Content-Length"})

Handler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]


def middleware(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:
    """Django's middleware, in both of Django's ways of handling a request."""
    if iscoroutinefunction(get_response):

        async def handle_async(request: HttpRequest) -> HttpResponseBase:
            response = await get_response(request)
            return response if response.status_code < 400 else caught(request.path, response)

        return markcoroutinefunction(handle_async)

    def handle(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        return response if response.status_code < 400 else caught(request.path, response)  # type: ignore[union-attr,return-value,arg-type]  # it is the sync kind

    return handle


middleware.sync_capable = middleware.async_capable = True  # type: ignore[attr-defined]  # what Django asks of it


def caught(path: str, response: HttpResponseBase) -> HttpResponseBase:
    """The refusal as a problem, where a program gets it and it is none yet."""
    kind = response.get("Content-Type", "")
    if not problems.for_programs(path) or kind.startswith((problems.CONTENT_TYPE, "application/json")):
        return response
    told = problems.of_status(response.status_code)
    for name, value in response.items():
        if name not in ITS_OWN:
            told[name] = value
    if path.startswith(READ_BY_OTHER_ORIGINS):
        told.setdefault("Access-Control-Allow-Origin", "*")
    response.close()
    return told
