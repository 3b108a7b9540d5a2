"""The socket's door: a ticket in, frames in and out. Each frame becomes one call of `conversing`."""

import logging
from typing import Any
from urllib.parse import parse_qs

from asgiref.typing import ASGIReceiveCallable, ASGISendCallable
from channels.exceptions import StopConsumer
from channels.generic.websocket import AsyncWebsocketConsumer

from kernel import measuring, observing, tracing
from tenants.context import run_as, run_in_thread
from widgets.chat import conversing, visiting
from widgets.chat.hub import Outbox
from widgets.chat.limits import TooFast, TooSoon
from widgets.chat.protocol import FrameError, encode, error, parse

logger = logging.getLogger(__name__)

BAD_TICKET, BAD_ORIGIN, GONE, TOO_FAST, RESTARTING = 4401, 4403, 4404, 4429, 1012


class ChatConsumer(AsyncWebsocketConsumer):  # type: ignore[misc]  # Channels ships no types
    """One visitor's connection."""

    chat: conversing.Conversation | None = None

    async def __call__(self, scope: Any, receive: ASGIReceiveCallable, send: ASGISendCallable) -> None:
        """Channels' own loop starts two tasks and hops to a thread before every frame; this needs neither, and saves a
        third of an idle connection's memory."""
        self.scope, self.base_send = scope, send
        try:
            while True:
                message = await receive()
                await getattr(self, message["type"].replace(".", "_"))(message)
        except StopConsumer:
            pass
        finally:
            if self.chat is not None:
                await self.chat.leave()

    async def connect(self) -> None:
        ticket = parse_qs(self.scope["query_string"].decode("latin-1")).get("ticket", [""])[0]
        redeemed = await run_in_thread(lambda: visiting.redeem_ticket(ticket)) if ticket else None
        await self.accept()
        if redeemed is None:
            await self.close(BAD_TICKET)
            return
        guest, origin = redeemed
        observing.note(visitor_id=guest.visitor_id, widget_id=guest.widget_id)
        asked_by = dict(self.scope["headers"]).get(b"origin", b"").decode("latin-1")
        if asked_by != origin:
            await self.close(BAD_ORIGIN)
            return
        opened = await run_as(guest.tenant, conversing.opening, guest, asked_by)
        if opened is None:
            await self.close(GONE)
            return
        outbox = Outbox(self.send, self.close)
        self.chat = conversing.Conversation(guest, outbox, self._metadata(asked_by))
        await self.chat.open(opened)

    async def close(self, code: int | None = None, reason: str | None = None) -> None:
        observing.note(close_code=code or 1000)
        await super().close(code, reason)

    async def disconnect(self, code: int) -> None:
        """The visitor has left; or is told that we have, and then our own code is known already."""
        if "close_code" not in observing.facts():
            observing.note(close_code=code)

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None) -> None:
        if self.chat is None:
            return
        try:
            self.chat.limits.frame()
            frame = parse(text_data)
            measuring.FRAMES.labels(frame.type).inc()
            if frame.type == "message":
                with tracing.span("frame message", kind="server"):
                    await self.chat.handle(frame)
            else:
                await self.chat.handle(frame)
        except FrameError as refused:
            measuring.FRAMES.labels("invalid").inc()
            self.chat.outbox.push(encode(refused.frame))
        except TooSoon as refused:
            wait = round(refused.retry_after, 1)
            self.chat.outbox.push(
                encode(error("too_fast", refused.detail, id=refused.own_id, retry_after=wait))
            )
        except TooFast:
            self.chat.outbox.close()
            await self.close(TOO_FAST)
        except visiting.Erased:
            # Their page boots again and begins as somebody new.
            self.chat.outbox.close()
            await self.close(GONE)
        except Exception:
            # The database or Redis was away for a moment, or we are at fault: the visitor reconnects, resends, resumes.
            logger.exception("a frame could not be handled")
            self.chat.outbox.close()
            await self.close(RESTARTING)

    def _metadata(self, origin: str) -> dict[str, Any]:
        headers = dict(self.scope["headers"])
        return {
            "userAgent": headers.get(b"user-agent", b"").decode("latin-1")[:300],
            "ip": (self.scope.get("client") or [""])[0],
            "page": origin,
        }
