"""The outermost door: gives every request and socket a name, and accounts for it when it is over.

A request's name comes from X-Request-ID where a trusted proxy sends a sane one, else it is made here; the answer
carries it back. One log line and one count per request or socket, nothing per frame.
"""

import logging
import re
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from django.http import HttpRequest
from django.http.response import HttpResponseBase
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from kernel import measuring, observing, tracing

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Scope, Receive, Send], Awaitable[None]]

HEADER: Final = b"x-request-id"
SANE: Final = re.compile(rb"[A-Za-z0-9][A-Za-z0-9._:-]{7,127}")
METHODS: Final = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
# Asked every few seconds by machines: counted, not written down.
UNWRITTEN: Final = frozenset({"/healthz", "/readyz", "/metrics"})
CONTINUES_TRACES: Final = "/api/"
UNMATCHED: Final = "(none)"
STATIC: Final = "/static/"
CLIENT_GONE: Final = 499
"""nginx's status for a client that left before it was answered."""
CLOSED_WITHOUT_A_CODE: Final = 1006
# Those that browsers, proxies and we use; a client may send any of 4,000.
CODES: Final = frozenset({1000, 1001, 1005, 1006, 1009, 1011, 1012, 4401, 4403, 4404, 4429})

_log = logging.getLogger(__name__)


class Access:
    """Wraps the ASGI application. `proxies` are the addresses and networks whose forwarded headers are believed."""

    def __init__(self, application: Application, proxies: tuple[str, ...]) -> None:
        inner: Any = application
        self._behind = ProxyHeadersMiddleware(inner, list(proxies)) if proxies else None
        self._application: Any = self._behind or application

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        match scope["type"]:
            case "http":
                await self._request(scope, receive, send)
            case "websocket":
                await self._socket(scope, receive, send)
            case _:
                await self._application(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        name = self._name(scope)
        status = 0

        async def send_named(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message["headers"], (HEADER, name.encode())]
            await send(message)

        method = scope["method"] if scope["method"] in METHODS else "OTHER"
        with observing.work(request_id=name) as facts:
            failed = True
            try:
                with _span(scope, method) as span:
                    await self._application(scope, receive, send_named)
                    route = _route(scope, facts)
                    span.rename(f"{method} {route}")
                    span.set(http__route=route, http__response__status_code=status)
                failed = False
            finally:
                answered = status or (500 if failed else CLIENT_GONE)
                _account(scope, method, answered, facts, time.perf_counter() - began)

    async def _socket(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = time.perf_counter()
        with observing.work(request_id=self._name(scope)) as facts:
            measuring.SOCKETS.inc()
            try:
                await self._application(scope, receive, send)
            finally:
                measuring.SOCKETS.dec()
                code = facts.pop("close_code", CLOSED_WITHOUT_A_CODE)
                measuring.SOCKETS_CLOSED.labels(code if code in CODES else "other").inc()
                _log.info(
                    "socket closed",
                    extra={
                        "path": scope["path"],
                        "code": code,
                        "duration_ms": round((time.perf_counter() - began) * 1000, 1),
                        "client": _client(scope),
                    },
                )

    def _name(self, scope: Scope) -> str:
        """Taken before the proxy's headers are read: whether the peer itself is trusted is what counts."""
        if self._behind is not None and _client(scope) in self._behind.trusted_hosts:
            given = next((value for name, value in scope["headers"] if name == HEADER), b"")
            if SANE.fullmatch(given):
                return str(given.decode("ascii"))
        return observing.new_request_id()


def _span(scope: Scope, method: str) -> Any:
    path: str = scope["path"]
    if path in UNWRITTEN or path.startswith(STATIC):
        return tracing.UNTRACED
    parent: Mapping[str, str] | None = None
    if path.startswith(CONTINUES_TRACES):
        # Programs of the tenant's continue their own trace; visitors' browsers have no say in what we record.
        parent = {
            name.decode("ascii"): value.decode("latin-1")
            for name, value in scope["headers"]
            if name in (b"traceparent", b"tracestate")
        }
    return tracing.span(f"HTTP {method}", kind="server", parent=parent, http__request__method=method)


def _account(scope: Scope, method: str, status: int, facts: dict[str, object], seconds: float) -> None:
    route = _route(scope, facts)
    measuring.HTTP_REQUESTS.labels(route, method, status).inc()
    measuring.HTTP_SECONDS.labels(route, method).observe(seconds)
    if scope["path"] in UNWRITTEN:
        return
    # What the URL says and what was noted about the request are separate: facts are added by the log itself.
    facts.pop("route", None)
    _log.info(
        "%s %s %d",
        method,
        scope["path"],
        status,
        extra={
            "method": method,
            "path": scope["path"],
            "route": route,
            "status": status,
            "duration_ms": round(seconds * 1000, 1),
            "client": _client(scope),
        },
    )


def _route(scope: Scope, facts: Mapping[str, object]) -> str:
    """The pattern of the URL, never the URL itself: there are as many of those as rows."""
    found = facts.get("route")
    if found is not None:
        return f"/{found}"
    return STATIC if scope["path"].startswith(STATIC) else UNMATCHED


def _client(scope: Scope) -> str:
    return (scope.get("client") or ("",))[0] or ""


class RouteNoted:
    """Django middleware: notes which URL pattern a request matched, for its metrics, its trace and its log line."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        return self.get_response(request)

    def process_view(self, request: HttpRequest, *view: object) -> None:
        if request.resolver_match is not None:
            observing.note(route=request.resolver_match.route)
