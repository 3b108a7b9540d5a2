"""A visitor for tests: boots and talks over a socket, as the widget does."""

import asyncio
import json
import uuid
from typing import Any

from asgiref.sync import sync_to_async
from asgiref.testing import ApplicationCommunicator
from django.test import Client

PATIENCE_S = 10


class VisitorSocket:
    """One connection of a visitor."""

    def __init__(self, communicator: ApplicationCommunicator, booted: dict[str, Any]) -> None:
        self.communicator, self.booted = communicator, booted
        self.close_code: int | None = None

    async def send(self, **frame: Any) -> None:
        await self.send_text(json.dumps(frame))

    async def send_text(self, text: str) -> None:
        await self.communicator.send_input({"type": "websocket.receive", "text": text})

    async def send_bytes(self, data: bytes) -> None:
        await self.communicator.send_input({"type": "websocket.receive", "bytes": data})

    async def receive(self) -> dict[str, Any]:
        """The next frame; raises ConnectionError when the server closes instead, with `close_code` set."""
        output = await self.communicator.receive_output(PATIENCE_S)
        if output["type"] == "websocket.close":
            self.close_code = output.get("code", 1000)
            raise ConnectionError(self.close_code)
        return json.loads(output["text"])

    async def is_silent(self) -> bool:
        return await self.communicator.receive_nothing(timeout=0.2)

    async def until(self, kind: str) -> list[dict[str, Any]]:
        """Frames up to and including the first of this type."""
        frames = []
        while not frames or frames[-1]["type"] != kind:
            frames.append(await self.receive())
        return frames

    async def ask(self, content: str, client_id: str | None = None) -> list[dict[str, Any]]:
        """The frames that one question is answered with."""
        await self.send(type="message", id=client_id or str(uuid.uuid4()), content=content)
        return await self.until("message")

    async def leave(self) -> None:
        await self.communicator.send_input({"type": "websocket.disconnect", "code": 1001})
        await self.communicator.wait(PATIENCE_S)


def boot(widget: Any, token: str | None = None, origin: str | None = None, **body: Any) -> Any:
    """The response to a boot."""
    headers = {"Origin": origin or widget.domain_whitelist[0]}
    return Client(headers=headers).post(
        "/widget/v1/boot",
        {"widget": widget.public_key, "visitor_token": token, "identity": None, **body},
        content_type="application/json",
    )


async def arrive(widget: Any, token: str | None = None) -> VisitorSocket:
    """Boot and connect; the first frame (`ready`) is not yet read."""
    response = await sync_to_async(boot)(widget, token)
    assert response.status_code == 200, response.content
    booted = response.json()
    return await connect(booted, widget.domain_whitelist[0])


async def connect(booted: dict[str, Any], origin: str) -> VisitorSocket:
    """Use a boot's ticket, from a page at `origin`."""
    from config.asgi import application

    path, _, query = booted["socket_url"].split("/", 3)[3].partition("?")
    scope = {
        "type": "websocket",
        "path": f"/{path}",
        "query_string": query.encode(),
        "headers": [(b"origin", origin.encode())],
        "client": ("127.0.0.1", 1),
        "subprotocols": [],
    }
    communicator = ApplicationCommunicator(application, scope)
    await communicator.send_input({"type": "websocket.connect"})
    accepted = await communicator.receive_output(PATIENCE_S)
    assert accepted["type"] == "websocket.accept", accepted
    return VisitorSocket(communicator, booted)


async def settle() -> None:
    """Let answers that run in the background end."""
    from widgets.chat.hub import hub

    while hub().tasks:
        await asyncio.wait(set(hub().tasks), timeout=PATIENCE_S)
