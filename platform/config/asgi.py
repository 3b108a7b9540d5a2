"""One port, one process: HTTP in WSGI threads, sockets and streams on the event loop.

Django under ASGI costs 1.4 times the CPU of WSGI per request (measured.md section 4), so only what may
stream goes there.
"""

import logging
import os
import re
import sys
from typing import Any
from urllib.parse import quote_from_bytes

import django

from config.readers import ConfigurationError

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
try:
    django.setup(set_prefix=False)
except ConfigurationError as wrong:
    sys.stderr.write(f"{wrong}\n")
    sys.exit(2)

# Only importable once Django is set up.
from channels.routing import URLRouter
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import HttpResponse
from django.urls import re_path

from config.access import Access
from config.in_threads import InThreads
from config.lifespan import lifespan
from config.request_body import BodyRefused, ClientGone, Message, Receive, Scope, Send, whole_body
from config.routing import websocket_urlpatterns
from tenants.rest import problems

logger = logging.getLogger(__name__)

HTTP_THREADS = 8
# Pieces of a response held for a client that reads slowly, so that it does not hold a thread.
PIECES_HELD = 256
MAY_STREAM = ("/api/v1/answers", "/widget/v1/messages")
SAYING = re.compile(r"/api/v1/sessions/[^/]+/messages/?")
READ_BY_OTHER_ORIGINS = "/widget/"
NO_SUCH_SOCKET = 4404


async def _no_such_socket(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "websocket.close", "code": NO_SUCH_SOCKET})


# Channels and Django each type these interfaces in their own way.
_wsgi: Any = WSGIHandler()
_no_socket: Any = _no_such_socket
_blocking: Any = InThreads(_wsgi, threads=HTTP_THREADS, ahead=PIECES_HELD)
_streaming: Any = ASGIHandler()
_sockets: Any = URLRouter([*websocket_urlpatterns, re_path("", _no_socket)])


async def _by_type(scope: Scope, receive: Receive, send: Send) -> None:
    match scope["type"]:
        case "http":
            await _http(scope, receive, send)
        case "websocket":
            await _sockets(_cleaned(scope), receive, send)
        case "lifespan":
            await lifespan(scope, receive, send)


application = Access(_by_type, settings.TRUSTED_PROXIES)
"""The ASGI application."""


async def _http(scope: Scope, receive: Receive, send: Send) -> None:
    try:
        scope, receive = await whole_body(_cleaned(scope), receive)
    except ClientGone:
        return
    except BodyRefused as refused:
        await _refuse(scope, send, refused)
        return
    handler = _streaming if _may_stream(scope) else _blocking
    has_begun = False

    async def send_noted(message: Message) -> None:
        nonlocal has_begun
        has_begun = True
        await send(message)

    try:
        await handler(scope, receive, send_noted)
    except Exception:
        # Django answers for its own errors: this is one of what is around it.
        if has_begun:
            raise
        logger.exception("a request failed outside Django")
        await _send(scope, send, problems.of_status(500))


def _may_stream(scope: Scope) -> bool:
    """Whether an answer may be made, and told while it is made, by this request: reading a list never does that."""
    path: str = scope["path"]
    return path.startswith(MAY_STREAM) or (scope["method"] == "POST" and bool(SAYING.fullmatch(path)))


def _cleaned(scope: Scope) -> Scope:
    """The request without what means two things at once.

    X_Forwarded_For and X-Forwarded-For become one name in WSGI, so a header with an underscore could pass for one
    that a proxy guards. Bytes beyond ASCII in a query are percent-encoded, as they should have been.
    """
    return {
        **scope,
        "headers": [(name, value) for name, value in scope["headers"] if b"_" not in name],
        "query_string": quote_from_bytes(scope["query_string"], safe=bytes(range(0x21, 0x7F))).encode(),
    }


async def _refuse(scope: Scope, send: Send, refused: BodyRefused) -> None:
    answer = problems.problem(refused.status, refused.code, refused.detail)
    await _send(scope, send, answer, (b"connection", b"close"))


async def _send(scope: Scope, send: Send, answer: HttpResponse, *headers: tuple[bytes, bytes]) -> None:
    """Send an answer that Django has not seen."""
    sent = [
        (b"content-type", answer["Content-Type"].encode()),
        (b"content-length", str(len(answer.content)).encode()),
        *headers,
    ]
    if scope["path"].startswith(READ_BY_OTHER_ORIGINS):
        # The widget runs on the customer's page, which must be able to read why.
        sent.append((b"access-control-allow-origin", b"*"))
    await send({"type": "http.response.start", "status": answer.status_code, "headers": sent})
    await send({"type": "http.response.body", "body": answer.content})
