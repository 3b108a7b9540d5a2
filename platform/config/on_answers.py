"""A Django middleware that looks at each answer on its way out, in both of Django's ways of handling a request."""

from collections.abc import Awaitable, Callable
from typing import cast

from asgiref.sync import iscoroutinefunction, markcoroutinefunction
from django.http import HttpRequest
from django.http.response import HttpResponseBase

Handler = Callable[[HttpRequest], HttpResponseBase]
AsyncHandler = Callable[[HttpRequest], Awaitable[HttpResponseBase]]
Middleware = Callable[[Handler | AsyncHandler], Handler | AsyncHandler]


def on_answers(change: Callable[[str, HttpResponseBase], HttpResponseBase]) -> Middleware:
    """A middleware that sends what `change` makes of the request's path and the answer to it."""

    def middleware(get_response: Handler | AsyncHandler) -> Handler | AsyncHandler:
        if iscoroutinefunction(get_response):

            async def handle_async(request: HttpRequest) -> HttpResponseBase:
                return change(request.path, await get_response(request))

            return markcoroutinefunction(handle_async)
        answer = cast(Handler, get_response)

        def handle(request: HttpRequest) -> HttpResponseBase:
            return change(request.path, answer(request))

        return handle

    middleware.sync_capable = middleware.async_capable = True  # type: ignore[attr-defined]  # what Django asks of it
    return middleware
